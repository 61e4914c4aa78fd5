-- What the controller knows of containers and Redis cannot see, and who the controller is.
--
-- Keys:
--   guard    string  who may act on the queue, of several controllers; it expires
--   gauges   hash    worker -> its processor seconds, bytes and throttled seconds

-- What was measured longer ago (s) is not told any more.
local GAUGES_LAST = 60

-- incarnation, time in ms. Only forward, and only of a worker that is known; 1 if it is.
define('extend_lease', SHRINKS, function(ctx, args)
  if redis.call('EXISTS', ctx.p .. 'worker:' .. args[1]) == 0 then
    return 0
  end
  redis.call('ZADD', ctx.p .. 'leases', 'GT', args[2], args[1])
  return 1
end)

-- holder, ms. 1 if it has the guard now: nobody else had it.
define('guard', SHRINKS, function(ctx, args)
  local holder = redis.call('GET', ctx.p .. 'guard')
  if holder and holder ~= args[1] then
    return 0
  end
  redis.call('SET', ctx.p .. 'guard', args[1], 'PX', args[2])
  return 1
end)

-- holder
define('drop_guard', SHRINKS, function(ctx, args)
  if redis.call('GET', ctx.p .. 'guard') == args[1] then
    redis.call('DEL', ctx.p .. 'guard')
  end
  return 1
end)

-- worker, then the words of a job that is for it alone
define('canary', GROWS, function(ctx, args)
  if redis.call('HEXISTS', ctx.p .. 'workers', args[1]) == 0 then
    return redis.error_reply('UNKNOWNWORKER ' .. args[1])
  end
  submit_one(ctx, args, 2)
  return args[2]
end)

-- worker and its gauges in turn; who is not among them has none any more
define('gauges', SHRINKS, function(ctx, args)
  local key = ctx.p .. 'gauges'
  redis.call('DEL', key)
  if #args > 0 then
    in_chunks('HSET', key, args)
    redis.call('EXPIRE', key, GAUGES_LAST)
  end
  return 1
end)

define('read_gauges', READS, function(ctx)
  return redis.call('HGETALL', ctx.p .. 'gauges')
end)
