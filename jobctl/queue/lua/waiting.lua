-- Workers that wait: what becomes claimable is claimed for one of them in the very call that
-- made it so, and handed to it. To be woken and to claim are one thing then.
--
-- Keys:
--   waiting:<queue>       zset  incarnations that wait for its jobs, by since when (ms)
--   handed:<incarnation>  list  what was claimed for it, as a claim would return it, or (see
--                               express.lua) as four words; one entry at most, because whoever
--                               is handed something waits no more
-- and of worker:<incarnation>:
--   room, waits_for       how many jobs it waits for, and of which queues, in its order
--   awake_until           until when (ms) that it said so proves that it is not paused

-- queues: those it waits for, if that is known.
function stop_waiting(ctx, incarnation, queues)
  local key = ctx.p .. 'worker:' .. incarnation
  queues = queues or redis.call('HGET', key, 'waits_for')
  if queues then
    for queue in string.gmatch(queues, '%S+') do
      redis.call('ZREM', ctx.p .. 'waiting:' .. queue, incarnation)
    end
    redis.call('HDEL', key, 'waits_for', 'room', 'awake_until')
  end
end

-- Claims jobs of a queue for the worker that waits longest; false if it gets none. One that
-- has been silent for too long may be paused: jobs would lie there until its lease ends.
local function hand_to(ctx, incarnation, waiting, length)
  local by, queues = caller(ctx, incarnation), {}
  if silent_for(ctx, by.heartbeat_at, 0.5) then
    stop_waiting(ctx, incarnation, by.waits_for)
    return true
  end
  for queue in string.gmatch(by.waits_for, '%S+') do
    queues[#queues + 1] = queue
  end
  -- What came in at once is spread over all that wait.
  by.room = math.min(by.room, math.ceil(length / redis.call('ZCARD', waiting)))
  local jobs, wait = take(ctx, by, by.room, queues)
  if #jobs == 0 then
    return false
  end
  stop_waiting(ctx, incarnation, by.waits_for)
  redis.call('RPUSH', ctx.p .. 'handed:' .. incarnation, cjson.encode({ wait or '', jobs }))
  return true
end

-- Afterwards nobody waits for a queue from which something can be claimed.
function hand_over(ctx)
  local names = {}
  for queue in pairs(ctx.queues) do
    names[#names + 1] = queue
  end
  table.sort(names)
  for _, queue in ipairs(names) do
    local waiting, more = ctx.p .. 'waiting:' .. queue, true
    while more do
      local first = redis.call('ZRANGE', waiting, 0, 0)[1]
      local length = first and redis.call('ZCARD', ctx.p .. 'queue:' .. queue) or 0
      more = length > 0 and wakes(ctx, queue) and hand_to(ctx, first, waiting, length)
    end
  end
end

-- incarnation, room, the queues. From now on it waits, unless something is there for it.
define('wait', SHRINKS, function(ctx, args)
  local incarnation, room = args[1], tonumber(args[2])
  local key = ctx.p .. 'worker:' .. incarnation
  local worker = redis.call('HMGET', key, 'name', 'draining')
  if not worker[1] then
    return redis.error_reply('UNKNOWNWORKER ' .. incarnation)
  end
  extend(ctx, incarnation)
  stop_waiting(ctx, incarnation)
  if worker[2] or room <= 0 or redis.call('EXISTS', ctx.p .. 'handed:' .. incarnation) == 1 then
    return 0
  end
  redis.call('HSET', key, 'room', room, 'waits_for', table.concat(args, ' ', 3),
    'awake_until', string.format('%.0f', ctx.now + ctx.lease / 2))
  for i = 3, #args do
    redis.call('ZADD', ctx.p .. 'waiting:' .. args[i], ctx.now, incarnation)
    ctx.queues[args[i]] = true
  end
  return 1
end)
