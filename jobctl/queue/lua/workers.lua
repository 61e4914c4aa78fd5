-- Worker processes: known, alive, draining, gone.

-- A lost worker that holds nothing is forgotten after this many leases.
local FORGET_AFTER = 60

-- A worker's own queue is served by nobody else (see canary in controller.lua).
local function drop_own(ctx, name)
  write_places(ctx)
  for _, id in ipairs(redis.call('ZRANGE', ctx.p .. 'queue:' .. OWN .. name, 0, CHUNK)) do
    revoke(ctx, find(ctx, id), 'its worker is gone')
  end
end

local function forget(ctx, incarnation)
  local name = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'name')
  if name and redis.call('HGET', ctx.p .. 'workers', name) == incarnation then
    redis.call('HDEL', ctx.p .. 'workers', name)
    drop_own(ctx, name)
  end
  stop_waiting(ctx, incarnation)
  redis.call('DEL', ctx.p .. 'worker:' .. incarnation, ctx.p .. 'inbox:' .. incarnation,
    ctx.p .. 'handed:' .. incarnation)
  redis.call('ZREM', ctx.p .. 'leases', incarnation)
end

local function release(ctx, incarnation, cause, reason)
  local ids = held_by(ctx, incarnation)
  local as, why = toll(ctx, incarnation, cause, reason)
  for _, id in ipairs(ids) do
    lose(ctx, find(ctx, id), as, { reason = why })
  end
  forget(ctx, incarnation)
  return #ids
end

-- incarnation, name, pool, container, concurrency, queues
define('register', SHRINKS, function(ctx, args)
  local incarnation, name = args[1], args[2]
  local current = redis.call('HGET', ctx.p .. 'workers', name)
  local key = ctx.p .. 'worker:' .. incarnation
  if current and current ~= incarnation then
    if redis.call('HGET', ctx.p .. 'worker:' .. current, 'replaced') == incarnation then
      -- It was paused, not dead, and woke up: two must not take turns.
      return redis.error_reply('SUPERSEDED ' .. name)
    end
    release(ctx, current, 'worker-lost', 'its name was registered anew')
    redis.call('HSET', key, 'replaced', current)
  end
  redis.call('HSET', ctx.p .. 'workers', name, incarnation)
  redis.call('HSETNX', key, 'started_at', ctx.now)
  redis.call('HSET', key, 'incarnation', incarnation, 'name', name, 'pool', args[3],
    'container', args[4], 'concurrency', args[5], 'queues', args[6], 'heartbeat_at', ctx.now)
  if redis.call('EXISTS', ctx.p .. 'trial:' .. name) == 1 then
    redis.call('HSETNX', key, 'draining', 'trial')
  end
  return 1
end)

-- From now on it claims, whatever kept it from that.
local function admit_worker(ctx, incarnation)
  redis.call('HDEL', ctx.p .. 'worker:' .. incarnation, 'draining', 'drain_until')
  tell(ctx, incarnation, 'undrain')
end

-- Says again what an inbox line said before, in case that line was lost.
local function remind(ctx, incarnation, drain_until, cancelling)
  if redis.call('LLEN', ctx.p .. 'inbox:' .. incarnation) > 0 then
    return
  end
  if drain_until then
    local left = math.max(0, tonumber(drain_until) - ctx.now) / 1000
    tell(ctx, incarnation, 'drain ' .. left)
  end
  for _, job in ipairs(cancelling) do
    tell(ctx, incarnation, 'cancel ' .. job.id .. ' ' .. job.attempt)
  end
end

-- Jobs claimed for this worker in a reply that never arrived: it does not know of them.
local function return_strays(ctx, incarnation, listed)
  local handed = ctx.p .. 'handed:' .. incarnation
  for _, id in ipairs(held_by(ctx, incarnation)) do
    if not listed[id] then
      local job = find(ctx, id)
      if job.status == 'claimed' and ctx.now - job.claimed_at > ctx.lease / 2 then
        hand_back(ctx, job, '')
        -- It shall not be read there later: it is another's then.
        redis.call('DEL', handed)
      end
    end
  end
end

-- incarnation, then id and attempt of every job the worker has
define('renew', SHRINKS, function(ctx, args)
  local incarnation = args[1]
  local key = ctx.p .. 'worker:' .. incarnation
  local worker = redis.call('HMGET', key, 'name', 'draining', 'drain_until')
  if worker[1] then
    redis.call('HSET', key, 'heartbeat_at', ctx.now)
  end
  local verdicts, listed, cancelling = {}, {}, {}
  for i = 2, #args, 2 do
    local job = find(ctx, args[i])
    local verdict = fence(job, args[i + 1])
    listed[args[i]] = true
    if verdict == 'ok' then
      if job.cancelling then
        cancelling[#cancelling + 1] = job
      end
    end
    verdicts[#verdicts + 1] = verdict
  end
  if worker[1] then
    extend(ctx, incarnation)
  end
  return_strays(ctx, incarnation, listed)
  remind(ctx, incarnation, worker[3], cancelling)
  if worker[2] == 'trial' and redis.call('EXISTS', ctx.p .. 'trial:' .. worker[1]) == 0 then
    admit_worker(ctx, incarnation)
  end
  tend(ctx, 0)
  return { worker[1] and 1 or 0, worker[2] == '1' and 1 or 0, verdicts }
end)

define('deregister', SHRINKS, function(ctx, args)
  for _, id in ipairs(held_by(ctx, args[1])) do
    hand_back(ctx, find(ctx, id), '')
  end
  forget(ctx, args[1])
  return 1
end)

-- incarnation, cause, reason
define('release', SHRINKS, function(ctx, args)
  return release(ctx, args[1], args[2], args[3])
end)

-- The incarnations in a container that registered until a time in ms.
local function inmates(ctx, container, before)
  local names = redis.call('HKEYS', ctx.p .. 'workers')
  table.sort(names)
  local found = {}
  for _, name in ipairs(names) do
    local incarnation = redis.call('HGET', ctx.p .. 'workers', name)
    local f = redis.call('HMGET', ctx.p .. 'worker:' .. incarnation, 'container', 'started_at')
    if f[1] == container and tonumber(f[2]) <= before then
      found[#found + 1] = incarnation
    end
  end
  return found
end

-- container, time in ms, cause, reason. Releases the workers of a container that ended at that
-- time; one that registered since is of its next life. Returns how many jobs were held.
define('release_container', SHRINKS, function(ctx, args)
  local released = 0
  for _, incarnation in ipairs(inmates(ctx, args[1], tonumber(args[2]))) do
    released = released + release(ctx, incarnation, args[3], args[4])
  end
  return released
end)

-- container, time in ms. It stands still since then: its workers wait for nothing, and what was
-- claimed for them since runs elsewhere, as they cannot have read of it. Returns how many jobs.
define('set_aside', SHRINKS, function(ctx, args)
  local back = 0
  for _, incarnation in ipairs(inmates(ctx, args[1], tonumber(args[2]))) do
    stop_waiting(ctx, incarnation)
    for _, id in ipairs(held_by(ctx, incarnation)) do
      local job = find(ctx, id)
      if job.status == 'claimed' and job.claimed_at > tonumber(args[2]) then
        hand_back(ctx, job, '')
        redis.call('DEL', ctx.p .. 'handed:' .. incarnation)
        back = back + 1
      end
    end
  end
  return back
end)

-- name, grace in seconds or ''
define('drain', SHRINKS, function(ctx, args)
  local incarnation = redis.call('HGET', ctx.p .. 'workers', args[1])
  if not incarnation then
    return redis.error_reply('UNKNOWNWORKER ' .. args[1])
  end
  local key = ctx.p .. 'worker:' .. incarnation
  redis.call('HSET', key, 'draining', 1)
  stop_waiting(ctx, incarnation)
  if args[2] == '' then
    redis.call('HDEL', key, 'drain_until')
    tell(ctx, incarnation, 'drain')
  else
    redis.call('HSET', key, 'drain_until', ctx.now + math.floor(1000 * tonumber(args[2])))
    tell(ctx, incarnation, 'drain ' .. args[2])
  end
  return 1
end)

define('undrain', SHRINKS, function(ctx, args)
  local incarnation = redis.call('HGET', ctx.p .. 'workers', args[1])
  if not incarnation then
    return redis.error_reply('UNKNOWNWORKER ' .. args[1])
  end
  redis.call('DEL', ctx.p .. 'trial:' .. args[1])
  admit_worker(ctx, incarnation)
  return 1
end)

-- name, ms. Whoever registers under that name meanwhile gets no job but its canary, until it is
-- undrained or the time is over.
define('trial', SHRINKS, function(ctx, args)
  redis.call('SET', ctx.p .. 'trial:' .. args[1], 1, 'PX', args[2])
  return 1
end)

-- lease in ms, then the rates (see set_rates). A longer lease counts at once for all that have
-- not ended: in a new cluster workers are often quicker than the master that configures it.
define('configure', SHRINKS, function(ctx, args)
  local lease = tonumber(args[1])
  redis.call('HSET', ctx.p .. 'meta', 'lease', args[1])
  if lease > ctx.lease then
    ctx.lease = lease
    for _, incarnation in ipairs(
      redis.call('ZRANGEBYSCORE', ctx.p .. 'leases', '(' .. ctx.at, '+inf')) do
      extend(ctx, incarnation)
    end
  end
  set_rates(ctx, args[2], args[3])
  return 1
end)

local function forget_the_lost(ctx)
  local workers = redis.call('HVALS', ctx.p .. 'workers')
  for _, incarnation in ipairs(workers) do
    local heartbeat_at = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'heartbeat_at')
    if silent_for(ctx, heartbeat_at, FORGET_AFTER)
      and redis.call('HLEN', ctx.p .. 'held:' .. incarnation) == 0 then
      forget(ctx, incarnation)
    end
  end
end

-- limit. Returns how many jobs moved, and in how many ms the next can ('' for never).
define('tick', SHRINKS, function(ctx, args)
  local limit = tonumber(args[1])
  local lost = sweep(ctx, limit)
  local promoted, wait = promote(ctx, limit)
  local moved = lost + promoted + carry_out_dooms(ctx, limit) + follow(ctx, limit)
  write_places(ctx)
  offer_places(ctx, limit)
  forget_the_lost(ctx)
  local start = next_start(ctx)
  if start and (not wait or start < wait) then
    wait = start
  end
  -- A worker may have died between taking a token and claiming. Of very many queues some.
  for _, queue in ipairs(redis.call('SRANDMEMBER', ctx.p .. 'queues', limit)) do
    ctx.queues[queue] = true
  end
  return { moved, moved >= limit and 0 or wait or '' }
end)
