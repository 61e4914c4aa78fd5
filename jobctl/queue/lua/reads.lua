-- Reading without writing.

-- ids; a job that is not there reads as an empty list
define('get', READS, function(ctx, args)
  local jobs = {}
  for i, id in ipairs(args) do
    jobs[i] = redis.call('HGETALL', ctx.p .. 'job:' .. id)
  end
  return jobs
end)

-- name or '', array or '', limit, cursor or '', statuses. Returns the next cursor or '', and the jobs.
-- A page costs the same however many jobs there are.
define('list', READS, function(ctx, args)
  local name, limit, cursor = args[1], tonumber(args[3]), args[4]
  local ids = {}
  for i = 5, #args do
    local key = ctx.p .. 'jobs:' .. args[i]
    if name ~= '' then
      key = ctx.p .. 'named:' .. args[i] .. ':' .. name
    end
    local top = cursor ~= '' and '(' .. cursor or '+'
    -- One more than asked for, to know whether there is a next page.
    local some = redis.call('ZREVRANGEBYLEX', key, top, '-', 'LIMIT', 0, limit + 1)
    for _, id in ipairs(some) do
      ids[#ids + 1] = id
    end
  end
  table.sort(ids, function(a, b) return a > b end)
  local jobs = {}
  for i = 1, math.min(limit, #ids) do
    jobs[i] = redis.call('HGETALL', ctx.p .. 'job:' .. ids[i])
  end
  return { #ids > limit and ids[limit] or '', jobs }
end)

-- statuses
define('counts', READS, function(ctx, args)
  local counts = {}
  for i, status in ipairs(args) do
    counts[i] = redis.call('ZCARD', ctx.p .. 'jobs:' .. status)
  end
  return counts
end)

define('workers', READS, function(ctx)
  local workers = {}
  for _, incarnation in ipairs(redis.call('HVALS', ctx.p .. 'workers')) do
    local key = ctx.p .. 'worker:' .. incarnation
    local record = redis.call('HGETALL', key)
    record[#record + 1] = 'lost'
    local heartbeat_at = redis.call('HGET', key, 'heartbeat_at')
    record[#record + 1] = silent_for(ctx, heartbeat_at, 1) and '1' or '0'
    workers[#workers + 1] = { record, redis.call('SMEMBERS', ctx.p .. 'held:' .. incarnation) }
  end
  return workers
end)
