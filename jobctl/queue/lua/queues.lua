-- Queues that are open, paused or draining.
--
-- Keys:
--   queues-state   hash  queue -> paused or draining; open ones are not in it

local function state_of(ctx, queue)
  ctx.states = ctx.states or {}
  local state = ctx.states[queue]
  if not state then
    state = redis.call('HGET', ctx.p .. 'queues-state', queue) or 'open'
    ctx.states[queue] = state
  end
  return state
end

-- queue, state
define('set_queue', SHRINKS, function(ctx, args)
  if args[2] == 'open' then
    redis.call('HDEL', ctx.p .. 'queues-state', args[1])
  else
    redis.call('HSET', ctx.p .. 'queues-state', args[1], args[2])
  end
  ctx.queues[args[1]] = true
  return 1
end)
