-- Holding a job, losing it, and what brings jobs back by themselves.
--
-- held:<incarnation> is a hash: id -> the attempt, and a letter when there is more to know:
-- r it runs, x look into the job (it has extras, or is being cancelled), c and the time (ms)
-- it is claimed since then and its hash does not say so. So the finish of a
-- whole batch of plain jobs needs one read to know that all are held and by which attempt.

-- A claim or renewal looks after a few jobs of others, at most this often (ms).
local TEND_EVERY, TEND_BATCH = 100, 10
-- The most jobs one claim hands out.
local MAX_CLAIM = 256
local MAX_HISTORY = 20

-- Whether a worker that wakes for this queue, which is not empty, would get a job.
function wakes(ctx, queue)
  return state_of(ctx, queue) ~= 'paused' and grant(ctx, queue, 1) > 0
end

-- The lease is the worker's, not the job's: whatever it says proves that it is alive.
local function extend(ctx, incarnation)
  redis.call('ZADD', ctx.p .. 'leases', 'GT', ctx.now + ctx.lease, incarnation)
end

-- Whether its last heartbeat is older than n leases, counted from the end of a gap.
local function silent_for(ctx, heartbeat_at, n)
  return ctx.now - math.max(tonumber(heartbeat_at), ctx.grace_until - ctx.lease) > n * ctx.lease
end

local function held_note(job)
  -- A name without a letter in extras is one of schema 1.
  local letter = (job.extras ~= '' or job.name ~= '' or job.cancelling) and 'x'
    or job.status == 'running' and 'r' or ''
  return job.attempt .. letter
end

-- entries: ids and notes in turn
local function hold(ctx, incarnation, entries)
  if #entries > 0 then
    write_drops(ctx)
    in_chunks('HSET', ctx.p .. 'held:' .. incarnation, entries)
  end
end

-- Something about a held job has changed: what is noted of it follows.
function note_held(ctx, job)
  redis.call('HSET', ctx.p .. 'held:' .. job.incarnation, job.id, held_note(job))
end

local function let_go(ctx, job)
  local ids = ctx.dropped[job.incarnation]
  if not ids then
    ids = {}
    ctx.dropped[job.incarnation] = ids
  end
  ids[#ids + 1] = job.id
  if job.extras ~= '' and has(job, 'l') then
    vacate(ctx, job)
  end
end

-- Ids that one worker holds, newest first: put back at the head one by one, the oldest
-- ends up first.
local function held_by(ctx, incarnation)
  write_drops(ctx)
  local ids = redis.call('HKEYS', ctx.p .. 'held:' .. incarnation)
  table.sort(ids, function(a, b) return a > b end)
  return ids
end

-- Every incarnation that holds something, and others that lately did.
local function holders(ctx)
  return redis.call('ZRANGE', ctx.p .. 'leases', 0, -1)
end

-- How many jobs are held: those that are not running are claimed.
local function count_held(ctx)
  local count = 0
  for _, incarnation in ipairs(holders(ctx)) do
    count = count + redis.call('HLEN', ctx.p .. 'held:' .. incarnation)
  end
  return count
end

-- Ids of all claimed jobs. No index lists them, because most are so for a moment only;
-- workers hold few.
local function claimed_ids(ctx)
  local ids = {}
  for _, incarnation in ipairs(holders(ctx)) do
    local held = redis.call('HGETALL', ctx.p .. 'held:' .. incarnation)
    for i = 1, #held, 2 do
      local letter = string.sub(held[i + 1], -1)
      local claimed = letter ~= 'r'
      if letter == 'x' then
        claimed = redis.call('HGET', ctx.jobs .. held[i], 'status') == 'claimed'
      end
      if claimed then
        ids[#ids + 1] = held[i]
      end
    end
  end
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
function conclude(ctx, job, to, cause, fields)
  local all = { 'finished_at', ctx.at }
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
  if job.extras ~= '' then
    concluded(ctx, job)
  end
end

-- Off its worker and back into the queue's head. `fields` are added.
local function put_back(ctx, job, cause, fields)
  set_status(ctx, job, 'queued', fields, cause)
  redis.call('HDEL', job.key, 'worker', 'incarnation', 'claimed_at', 'started_at')
  enqueue(ctx, job, true)
end

-- Returned by a living worker, or by order of the cluster: no counter moves. `result` is as
-- in remember.
local function hand_back(ctx, job, cause, result)
  let_go(ctx, job)
  if job.started_at then
    remember(ctx, job, cause, result or {})
  end
  if job.cancelling then
    conclude(ctx, job, 'cancelled', 'cancelled', {})
  else
    put_back(ctx, job, cause, {})
  end
end

-- What one more loss makes of the job's counters: the counter's name and value, and why that
-- is one too many (nil: it is not). A job that was only claimed is innocent, as far as is known.
-- But one that takes its worker down before its start is told looks the same, and must not go
-- on for ever.
local function count_loss(job)
  if job.started_at then
    local crashes = job.crashes + 1
    return 'crashes', crashes, crashes >= MAX_CRASHES
      and 'quarantined: its worker was lost ' .. crashes .. ' times' or nil
  end
  local losses = job.losses + 1
  return 'losses', losses, losses >= MAX_LOSSES
    and 'quarantined: its worker was lost ' .. losses .. ' times before it was known to run' or nil
end

-- Why a worker's jobs come back: from the instant on until which it was to drain, what it still
-- holds is handed back, by itself or for it. Who ended its process then carried out an order.
local function toll(ctx, incarnation, cause, reason)
  local until_ms = cause == 'worker-lost'
    and redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'drain_until')
  if until_ms and tonumber(until_ms) <= ctx.now then
    return 'scale-down', 'cut short: the time that its worker had to drain was over'
  end
  return cause, reason
end

-- The worker is gone. `result` is as in remember.
local function lose(ctx, job, cause, result)
  if not LOSSES[cause] then
    return hand_back(ctx, job, cause, result)
  end
  let_go(ctx, job)
  remember(ctx, job, cause, result)
  local counter, count, reason = count_loss(job)
  if job.cancelling then
    conclude(ctx, job, 'cancelled', 'cancelled', { counter, count })
  elseif reason then
    conclude(ctx, job, 'failed', cause, { counter, count, 'reason', reason })
  else
    put_back(ctx, job, cause, { counter, count })
  end
end

-- Whether a lease can end now. After a gap none can: nobody has looked for long, so Redis
-- was probably down and no worker could renew. Then each has one full lease from now. So it
-- is when the clock was set back: otherwise nobody would be missed before it catches up.
local function may_end(ctx)
  local gap = ctx.now - ctx.swept_at
  ctx.swept_at = ctx.now
  local clocks = { 'swept_at', ctx.at }
  if gap < -ctx.lease / 2 then
    for _, incarnation in ipairs(holders(ctx)) do
      redis.call('ZADD', ctx.p .. 'leases', ctx.now + ctx.lease, incarnation)
    end
  end
  if math.abs(gap) > ctx.lease / 2 then
    ctx.grace_until = ctx.now + ctx.lease
    clocks[3], clocks[4] = 'grace_until', string.format('%.0f', ctx.grace_until)
  end
  redis.call('HSET', ctx.p .. 'meta', unpack(clocks))
  return ctx.now >= ctx.grace_until
end

-- Takes back jobs of workers whose lease has ended, at most `limit`; returns how many. The
-- lease stays, ended, until nothing is held under it.
local function sweep(ctx, limit)
  if not may_end(ctx) then
    return 0
  end
  local leases = ctx.p .. 'leases'
  local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', ctx.now, 'LIMIT', 0, limit)
  local lost = 0
  for _, incarnation in ipairs(ended) do
    stop_waiting(ctx, incarnation)
    local ids = held_by(ctx, incarnation)
    local last = math.min(#ids, limit - lost)
    local cause, reason = toll(ctx, incarnation, 'worker-lost', 'its lease ended')
    for i = 1, last do
      lose(ctx, find(ctx, ids[i]), cause, { reason = reason })
    end
    lost = lost + last
    if last == #ids then
      redis.call('ZREM', leases, incarnation)
    end
  end
  return lost
end

-- Queues scheduled jobs whose time has come; returns how many, and in how many ms the next
-- is due (nil: none is).
local function promote(ctx, limit)
  local due, promoted = ctx.p .. 'due', 0
  while true do
    local next_one = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
    if not next_one[1] then
      return promoted, nil
    end
    local wait = tonumber(next_one[2]) - ctx.now
    if wait > 0 or promoted == limit then
      return promoted, math.max(0, wait)
    end
    local job = find(ctx, next_one[1])
    redis.call('ZREM', due, job.id)
    redis.call('HDEL', job.key, 'due_at')
    set_status(ctx, job, 'queued', {})
    enqueue(ctx, job, false)
    promoted = promoted + 1
  end
end

-- What any living worker does for the others, so that they live on without a master.
-- `wanted` is how many jobs it could use itself. Returns in how many ms the next is due.
local function tend(ctx, wanted)
  local gap = ctx.now - ctx.swept_at
  if gap >= TEND_EVERY or gap < -ctx.lease / 2 then
    sweep(ctx, TEND_BATCH)
    cascade(ctx)
  end
  local _, wait = promote(ctx, math.max(TEND_BATCH, math.min(wanted, MAX_CLAIM)))
  return wait
end
