-- The way of a job through an idle cluster: one function that uses nothing special, and a worker
-- that waits for it. What submit, hand_over and claim_plain would do with it is done at once, in a
-- third of the time: whatever is touched here is cold, as nothing has run for a while.
--
-- Nothing here has a context. Wherever anything else may count (the id was there, jobs before it,
-- a rate, a queue that is not open, a worker that may be paused) nothing is done.

-- Whether a submit is of one function with nothing but its arguments.
local function is_plain(args)
  local fields = args[5]
  return #args == 1 + HEAD + 2 * fields and args[4] == '' and args[6] == 'function'
    and (fields == '2' and args[8] == 'args' or fields == '1')
end

-- What submit replies, or nil.
local function submit_to_waiting(p, args)
  local id, queue = args[2], args[3]
  local waiting = p .. 'waiting:' .. queue
  local incarnation = is_plain(args) and redis.call('ZRANGE', waiting, 0, 0)[1]
  local key = p .. 'job:' .. id
  if not incarnation or redis.call('HGET', p .. 'meta', 'schema') ~= THIS_SCHEMA
    or redis.call('EXISTS', key, p .. 'queue:' .. queue, p .. 'rates', p .. 'queues-state') > 0 then
    return nil
  end
  local worker = p .. 'worker:' .. incarnation
  local f, time = redis.call('HMGET', worker, 'name', 'waits_for', 'awake_until'), redis.call('TIME')
  local at = string.format('%s%03d', time[1], time[2] / 1000)
  if not f[3] or tonumber(at) > tonumber(f[3]) then
    return nil
  end
  redis.call('HSET', key, 'status', 'queued', 'id', id, 'queue', queue, 'submitted_at', at,
    unpack(args, 2 + HEAD))
  redis.call('HSET', p .. 'held:' .. incarnation, id, '1c' .. at)
  for other in string.gmatch(f[2], '%S+') do
    redis.call('ZREM', p .. 'waiting:' .. other, incarnation)
  end
  redis.call('HDEL', worker, 'waits_for', 'room', 'awake_until')
  redis.call('RPUSH', p .. 'handed:' .. incarnation,
    id .. ' ' .. queue .. ' ' .. args[7] .. ' ' .. (args[9] or ''))
  -- Not cut here: the job's end does that.
  redis.call('XADD', p .. 'events', '*', '- queued - -', id, 'queued claimed ' .. f[1] .. ' -', id)
  return { tonumber(at) }
end
