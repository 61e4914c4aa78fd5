-- Cron schedules: which tick of each was fired last.
--
-- Keys:
--   schedules   hash  name -> the last tick that was fired (ms)

-- names of the schedules there are; the others are forgotten
define('keep_schedules', SHRINKS, function(ctx, args)
  local kept, gone = {}, {}
  for _, name in ipairs(args) do
    kept[name] = true
  end
  for _, name in ipairs(redis.call('HKEYS', ctx.p .. 'schedules')) do
    if not kept[name] then
      gone[#gone + 1] = name
    end
  end
  in_chunks('HDEL', ctx.p .. 'schedules', gone)
  return 1
end)

-- schedule, tick in ms, then the words of one job. Nil when that tick or a later one was
-- fired before, so each fires once whoever is alive and however often this is called. Without
-- a job the tick is only noted: a new schedule begins there.
define('fire', GROWS, function(ctx, args)
  local name, tick = args[1], tonumber(args[2])
  local last = redis.call('HGET', ctx.p .. 'schedules', name)
  if last and tonumber(last) >= tick then
    return false
  end
  if #args == 2 then
    redis.call('HSET', ctx.p .. 'schedules', name, tick)
    return false
  end
  local refusal = refuse(ctx, '', args, 3)
  if refusal then
    return refusal
  end
  redis.call('HSET', ctx.p .. 'schedules', name, tick)
  return submit_one(ctx, args, 3)
end)
