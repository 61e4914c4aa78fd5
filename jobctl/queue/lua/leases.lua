-- Holding a job, losing it, and what brings jobs back by themselves.

-- A claim or renewal looks after a few jobs of others, at most this often (ms).
local TEND_EVERY, TEND_BATCH = 100, 10

local function hold(ctx, incarnation, ids)
  if #ids == 0 then
    return
  end
  local entries = {}
  for _, id in ipairs(ids) do
    entries[#entries + 1] = ctx.now + ctx.lease
    entries[#entries + 1] = id
  end
  in_chunks('ZADD', ctx.p .. 'leases', entries)
  in_chunks('SADD', ctx.p .. 'held:' .. incarnation, ids)
end

local function let_go(ctx, job)
  redis.call('ZREM', ctx.p .. 'leases', job.id)
  redis.call('SREM', ctx.p .. 'held:' .. job.incarnation, job.id)
end

-- Ids that one worker holds, newest first: put back at the head one by one, the oldest
-- ends up first.
local function held_by(ctx, incarnation)
  local ids = redis.call('SMEMBERS', ctx.p .. 'held:' .. incarnation)
  table.sort(ids, function(a, b) return a > b end)
  return ids
end

-- Writes a worker a line, if it is registered. A line may be lost with a cut connection
-- after BLPOP; `renew` says again what still holds.
local function tell(ctx, incarnation, line)
  if redis.call('EXISTS', ctx.p .. 'worker:' .. incarnation) == 1 then
    local inbox = ctx.p .. 'inbox:' .. incarnation
    redis.call('RPUSH', inbox, line)
    redis.call('LTRIM', inbox, -CHUNK, -1)
  end
end

-- Adds the attempt that just ended, and whose result is not the job's, to its history.
-- `result` may have exit_code, signal, reason and ended_at as text, '' for none.
local function remember(ctx, job, cause, result)
  local history = cjson.decode(redis.call('HGET', job.key, 'history') or '[]')
  history[#history + 1] = {
    attempt = job.attempt,
    worker = job.worker,
    started_at = job.started_at,
    ended_at = tonumber(result.ended_at) or ctx.now,
    cause = cause ~= '' and cause or nil,
    exit_code = tonumber(result.exit_code),
    signal = tonumber(result.signal),
    reason = result.reason,
  }
  while #history > MAX_HISTORY do
    table.remove(history, 1)
  end
  redis.call('HSET', job.key, 'history', cjson.encode(history))
end

-- The end of a run: no worker holds the job any more. `fields` are added.
local function conclude(ctx, job, to, cause, fields)
  local all = { 'finished_at', ctx.now }
  if cause ~= '' then
    all[#all + 1] = 'cause'
    all[#all + 1] = cause
  end
  for _, value in ipairs(fields) do
    all[#all + 1] = value
  end
  set_status(ctx, job, to, all, cause)
  if job.cancelling then
    redis.call('HDEL', job.key, 'cancelling')
  end
end

-- Off its worker and back into the queue's head. `fields` are added.
local function put_back(ctx, job, cause, fields)
  set_status(ctx, job, 'queued', fields, cause)
  redis.call('HDEL', job.key, 'worker', 'incarnation', 'claimed_at', 'started_at')
  enqueue(ctx, job, true)
end

-- Returned by a living worker, or by order of the cluster: no counter moves.
local function hand_back(ctx, job, cause)
  let_go(ctx, job)
  if job.started_at then
    remember(ctx, job, cause, {})
  end
  if job.cancelling then
    conclude(ctx, job, 'cancelled', 'cancelled', {})
  else
    put_back(ctx, job, cause, {})
  end
end

-- The worker is gone. `result` is as in remember.
local function lose(ctx, job, cause, result)
  if not CRASHES[cause] then
    return hand_back(ctx, job, cause)
  end
  let_go(ctx, job)
  remember(ctx, job, cause, result)
  local crashes = job.crashes + 1
  if job.cancelling then
    conclude(ctx, job, 'cancelled', 'cancelled', { 'crashes', crashes })
  elseif crashes >= MAX_CRASHES then
    local reason = 'quarantined: its worker was lost ' .. crashes .. ' times'
    conclude(ctx, job, 'failed', cause, { 'crashes', crashes, 'reason', reason })
  else
    put_back(ctx, job, cause, { 'crashes', crashes })
  end
end

-- Takes back jobs whose lease has ended; returns how many.
local function sweep(ctx, limit)
  local gap = ctx.now - ctx.swept_at
  ctx.swept_at = ctx.now
  redis.call('HSET', ctx.p .. 'meta', 'swept_at', ctx.now)
  if gap > ctx.lease / 2 then
    -- Nobody has looked for long, so Redis was probably down and no worker could renew:
    -- no lease counts as ended before its holder had one full lease from now.
    ctx.grace_until = ctx.now + ctx.lease
    redis.call('HSET', ctx.p .. 'meta', 'grace_until', ctx.grace_until)
  end
  if ctx.now < ctx.grace_until then
    return 0
  end
  local ids = redis.call('ZRANGEBYSCORE', ctx.p .. 'leases', '-inf', ctx.now, 'LIMIT', 0, limit)
  table.sort(ids, function(a, b) return a > b end)
  for _, id in ipairs(ids) do
    lose(ctx, find(ctx, id), 'worker-lost', { reason = 'its lease ended' })
  end
  return #ids
end

-- Queues scheduled jobs whose time has come; returns how many.
local function promote(ctx, limit)
  local ids = redis.call('ZRANGEBYSCORE', ctx.p .. 'due', '-inf', ctx.now, 'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local job = find(ctx, id)
    redis.call('ZREM', ctx.p .. 'due', id)
    set_status(ctx, job, 'queued', {})
    redis.call('HDEL', job.key, 'due_at')
    enqueue(ctx, job, false)
  end
  return #ids
end

-- What any living worker does for the others, so that they live on without a master.
local function tend(ctx)
  if ctx.now - ctx.swept_at >= TEND_EVERY then
    sweep(ctx, TEND_BATCH)
    promote(ctx, TEND_BATCH)
  end
end
