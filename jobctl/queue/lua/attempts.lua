-- What workers do with a job: claim, start, report, finish, hand back.

-- 'ok' only for the attempt that holds the job now. A stale attempt may neither write
-- nor be mistaken for a job that is not there.
local function fence(job, attempt)
  if not job then
    return 'missing'
  end
  if HELD[job.status] and job.attempt == tonumber(attempt) then
    return 'ok'
  end
  return 'stale'
end

local function claim_one(ctx, id, worker, incarnation)
  local job = find(ctx, id)
  local flat = redis.call('HGETALL', job.key)
  if job.attempt > 0 then
    -- What the last attempt left; the checkpoint stays, that is what it is for.
    redis.call('HDEL', job.key, 'step', 'progress', 'cause', 'exit_code', 'signal', 'reason')
  end
  job.attempt = job.attempt + 1
  job.worker = worker
  set_status(ctx, job, 'claimed', {
    'attempt', job.attempt, 'worker', worker, 'incarnation', incarnation, 'claimed_at', ctx.now,
  })
  return flat
end

-- Up to n jobs from the queues in the order given. args[at] is the number of queues,
-- their names follow. Returns the jobs, or nil for a worker that is not registered.
local function claim(ctx, incarnation, n, args, at)
  n = n + tonumber(args[3])
  local last = at + tonumber(args[at])
  for i = at + 1, last do
    -- Whatever is claimed: the caller may have used up a token to come here.
    ctx.queues[args[i]] = true
  end
  local worker = redis.call('HMGET', ctx.p .. 'worker:' .. incarnation, 'name', 'draining')
  if not worker[1] then
    return nil
  end
  tend(ctx)
  local jobs, ids = {}, {}
  for i = at + 1, last do
    local room = worker[2] and 0 or n - #ids
    if room > 0 then
      local popped = redis.call('ZPOPMIN', ctx.p .. 'queue:' .. args[i], room)
      for j = 1, #popped, 2 do
        ids[#ids + 1] = popped[j]
        jobs[#jobs + 1] = claim_one(ctx, popped[j], worker[1], incarnation)
      end
    end
  end
  hold(ctx, incarnation, ids)
  return jobs
end

-- incarnation, room, prefetch, number of queues, the queues
define('claim', SHRINKS, function(ctx, args)
  local jobs = claim(ctx, args[1], tonumber(args[2]), args, 4)
  return jobs and { '', jobs } or redis.error_reply('UNKNOWNWORKER ' .. args[1])
end)

-- incarnation, then id and attempt of each job
define('start', SHRINKS, function(ctx, args)
  local verdicts = {}
  for i = 2, #args, 2 do
    local job = find(ctx, args[i])
    local verdict = fence(job, args[i + 1])
    if verdict == 'ok' and job.status == 'claimed' then
      set_status(ctx, job, 'running', { 'started_at', ctx.now })
    end
    verdicts[#verdicts + 1] = verdict
  end
  return verdicts
end)

-- id, attempt, then names and values
define('report', GROWS, function(ctx, args)
  local job = find(ctx, args[1])
  local verdict = fence(job, args[2])
  if verdict == 'ok' and #args > 2 then
    redis.call('HSET', job.key, unpack(args, 3))
  end
  return verdict
end)

-- The time (ms) a job waits after its nth failure; dice is in [0, 1).
local function backoff(job, failures, settings, dice)
  local base = tonumber(settings[1]) or BACKOFF.base
  local cap = tonumber(settings[2]) or BACKOFF.cap
  local jitter = tonumber(settings[3]) or BACKOFF.jitter
  local seconds = math.min(cap, base * 2 ^ (failures - 1))
  return math.floor(1000 * seconds * (1 + jitter * (2 * dice - 1)))
end

-- The job itself failed: again later, or over.
local function fail(ctx, job, item, result_fields)
  local settings = redis.call('HMGET', job.key,
    'backoff_base', 'backoff_cap', 'backoff_jitter', 'max_attempts')
  local failures = job.failures + 1
  result_fields[#result_fields + 1] = 'failures'
  result_fields[#result_fields + 1] = failures
  -- What was rejected before it ran will be rejected again.
  if item.cause == 'rejected' or failures >= (tonumber(settings[4]) or 1) then
    result_fields[#result_fields + 1] = 'accepted'
    result_fields[#result_fields + 1] = job.attempt
    return conclude(ctx, job, 'failed', item.cause, result_fields)
  end
  local due = ctx.now + backoff(job, failures, settings, item.dice)
  for _, value in ipairs({ 'cause', item.cause, 'due_at', due }) do
    result_fields[#result_fields + 1] = value
  end
  remember(ctx, job, item.cause, item)
  set_status(ctx, job, 'scheduled', result_fields, item.cause)
  redis.call('HDEL', job.key, 'worker', 'incarnation', 'claimed_at', 'started_at')
  redis.call('ZADD', ctx.p .. 'due', due, job.id)
end

local function finish(ctx, item)
  local job = find(ctx, item.id)
  if job and job.ended == item.attempt then
    return 'ok' -- accepted before; its reply was lost and the call came again
  end
  local verdict = fence(job, item.attempt)
  if verdict ~= 'ok' then
    return verdict
  end
  local fields = { 'ended', job.attempt }
  for _, name in ipairs({ 'exit_code', 'signal', 'reason', 'result' }) do
    if item[name] ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = item[name]
    end
  end
  if item.started_at ~= '' then
    -- Better than what `start` wrote: that call came when the job had run a while.
    job.started_at = tonumber(item.started_at)
    fields[#fields + 1] = 'started_at'
    fields[#fields + 1] = item.started_at
  end
  if item.succeeded or job.cancelling or item.cause == 'cancelled' then
    -- A success that arrives wins over a cancel: the work is done.
    local to = item.succeeded and 'succeeded' or 'cancelled'
    fields[#fields + 1] = 'accepted'
    fields[#fields + 1] = job.attempt
    let_go(ctx, job)
    conclude(ctx, job, to, item.succeeded and '' or 'cancelled', fields)
  elseif FAILURES[item.cause] then
    let_go(ctx, job)
    fail(ctx, job, item, fields)
  else
    redis.call('HSET', job.key, 'ended', job.attempt)
    lose(ctx, job, item.cause, item)
  end
  return 'ok'
end

-- incarnation, room, prefetch, number of queues, the queues, then ten words for each attempt
define('finish', SHRINKS, function(ctx, args)
  local verdicts = {}
  for i = 5 + tonumber(args[4]), #args, 10 do
    verdicts[#verdicts + 1] = finish(ctx, {
      id = args[i],
      attempt = tonumber(args[i + 1]),
      succeeded = args[i + 2] == '1',
      cause = args[i + 3],
      exit_code = args[i + 4],
      signal = args[i + 5],
      reason = args[i + 6],
      started_at = args[i + 7],
      result = args[i + 8],
      dice = tonumber(args[i + 9]),
    })
  end
  return { verdicts, { '', claim(ctx, args[1], tonumber(args[2]), args, 4) or {} } }
end)

-- incarnation, cause, then id and attempt of each job
define('hand_back', SHRINKS, function(ctx, args)
  local verdicts = {}
  -- The last given goes to the head first, so that they keep their order.
  for i = #args - 1, 3, -2 do
    local job = find(ctx, args[i])
    local verdict = fence(job, args[i + 1])
    if verdict == 'ok' then
      hand_back(ctx, job, args[2])
    end
    table.insert(verdicts, 1, verdict)
  end
  return verdicts
end)
