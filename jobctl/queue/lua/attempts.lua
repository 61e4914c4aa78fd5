-- What workers do with a job they hold: start, report, finish, hand back.

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

-- It is known to run.
local function begin_to_run(ctx, job)
  if job.status == 'claimed' then
    set_status(ctx, job, 'running', { 'started_at', ctx.at })
    note_held(ctx, job)
  end
end

-- incarnation, then id and attempt of each job
define('start', SHRINKS, function(ctx, args)
  local verdicts = {}
  for i = 2, #args, 2 do
    local job = find(ctx, args[i])
    local verdict = fence(job, args[i + 1])
    if verdict == 'ok' then
      begin_to_run(ctx, job)
    end
    verdicts[#verdicts + 1] = verdict
  end
  return verdicts
end)

-- id, attempt, then names and values
define('report', GROWS, function(ctx, args)
  local job = find(ctx, args[1])
  local verdict = fence(job, args[2])
  if verdict == 'ok' then
    -- Who speaks of himself runs, even if his start is still to be told.
    begin_to_run(ctx, job)
    if #args > 2 then
      redis.call('HSET', job.key, unpack(args, 3))
    end
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

-- What the job's own rules (see RetryRule in spec.py) say to a failure; nil for nothing.
local function rule_for(job, item)
  local text = has(job, 'r') and redis.call('HGET', job.key, 'retry_on')
  if not text then
    return nil
  end
  local rule = cjson.decode(text)[item.cause]
  if item.cause == 'exit' and type(rule) == 'table' and not rule.queue then
    return rule[item.exit_code] or rule.default
  end
  return rule
end

local function add(list, ...)
  for i = 1, select('#', ...) do
    list[#list + 1] = (select(i, ...))
  end
end

-- The job itself failed: again later, or over.
local function fail(ctx, job, item, result_fields)
  local settings = redis.call('HMGET', job.key,
    'backoff_base', 'backoff_cap', 'backoff_jitter', 'max_attempts')
  local failures, rule = job.failures + 1, rule_for(job, item)
  add(result_fields, 'failures', failures)
  -- What was rejected before it ran will be rejected again.
  if item.cause == 'rejected' or rule == 'fail' or failures >= (tonumber(settings[4]) or 1) then
    add(result_fields, 'accepted', job.attempt)
    return conclude(ctx, job, 'failed', item.cause, result_fields)
  end
  if type(rule) == 'table' then
    job.queue = rule.queue
    add(result_fields, 'queue', job.queue)
  end
  local due = ctx.now + backoff(job, failures, settings, item.dice)
  add(result_fields, 'cause', item.cause, 'due_at', due, 'ended', job.attempt)
  remember(ctx, job, item.cause, item)
  set_status(ctx, job, 'scheduled', result_fields, item.cause)
  redis.call('HDEL', job.key, 'worker', 'incarnation', 'claimed_at', 'started_at')
  schedule(ctx, job, due)
end

-- Any end of an attempt.
local function finish(ctx, item)
  local job = find(ctx, item.id)
  if job and (accepted(job) == item.attempt or job.ended == item.attempt) then
    return 'ok' -- taken before; its reply was lost and the call came again
  end
  local verdict = fence(job, item.attempt)
  if verdict ~= 'ok' then
    return verdict
  end
  local fields = {}
  for _, name in ipairs({ 'exit_code', 'signal', 'reason', 'result' }) do
    if item[name] and item[name] ~= '' then
      add(fields, name, item[name])
    end
  end
  if item.started_at ~= '' then
    -- Better than what `start` wrote: that call came when the job had run a while.
    job.started_at = tonumber(item.started_at)
    add(fields, 'started_at', item.started_at)
  end
  if item.succeeded or job.cancelling or item.cause == 'cancelled' then
    -- A success that arrives wins over a cancel: the work is done.
    local to = item.succeeded and 'succeeded' or 'cancelled'
    if not item.succeeded then
      add(fields, 'accepted', job.attempt)
    end
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

local LETTER_C = 99 -- in ASCII; while the library loads there is no `string`

-- The end that most attempts have, of a job that uses nothing special: one write. Whatever
-- else it is, `finish` sees to it. noted: what the worker holds it as.
local function succeed(ctx, by, noted, id, attempt, started_at, exit_code, result)
  local unwritten = noted and attempt == '1' and string.byte(noted, 2) == LETTER_C
  local was = (unwritten or noted == attempt) and 'claimed'
    or noted == attempt .. 'r' and 'running'
  if not was or ctx.first[id] then
    return finish(ctx, {
      id = id, attempt = tonumber(attempt), succeeded = true, started_at = started_at,
      exit_code = exit_code, result = result,
    })
  end
  -- One table for all: to make and to grow one costs more than to write it.
  local fields, n = by.ended, 2
  if unwritten then
    fields[3], fields[4], fields[5], fields[6], n = 'attempt', '1', 'worker', by.name, 6
  end
  if started_at ~= '' then
    fields[n + 1], fields[n + 2], n = 'started_at', started_at, n + 2
  end
  if exit_code ~= '' then
    fields[n + 1], fields[n + 2], n = 'exit_code', exit_code, n + 2
  end
  if result ~= '' then
    fields[n + 1], fields[n + 2], n = 'result', result, n + 2
  end
  local job = by.plain
  job.id, job.key, job.status, job.attempt = id, ctx.jobs .. id, was, attempt
  let_go(ctx, job)
  set_status(ctx, job, 'succeeded', fields, nil, n)
  return 'ok'
end

-- How the worker holds the jobs whose ids are every `step`th word from args[first] on.
local function noted_of(ctx, by, args, first, last, step)
  local ids = {}
  for i = first, last, step do
    ids[#ids + 1] = args[i]
  end
  return by and #ids > 0 and redis.call('HMGET', ctx.p .. 'held:' .. by.incarnation, unpack(ids))
    or {}
end

-- The attempts that succeeded, as args[first] to args[last]; adds their verdicts.
local function succeed_all(ctx, by, args, first, last, verdicts)
  local noted = noted_of(ctx, by, args, first, last, 5)
  for n = 1, (last - first + 1) / 5 do
    local i = first + 5 * (n - 1)
    verdicts[#verdicts + 1] = succeed(ctx, by, noted[n], unpack(args, i, i + 4))
  end
end

-- First attempts that succeeded without a result, as ids and times of the start in turn. Mostly
-- they are all still held as they were claimed, and end together.
local function succeed_plainly(ctx, by, args, first, last, verdicts)
  local noted = noted_of(ctx, by, args, first, last, 2)
  local moved, ids = ctx.first, {}
  local fields = by and { 'finished_at', ctx.at, 'attempt', '1', 'worker', by.name, 'started_at', '' }
  for n = 1, (last - first + 1) / 2 do
    local id, started_at, note = args[first + 2 * n - 2], args[first + 2 * n - 1], noted[n]
    if note and string.byte(note, 2) == LETTER_C and not moved[id] then
      moved[id] = 'claimed'
      ids[#ids + 1] = id
      fields[8] = started_at
      write_status(ctx.jobs .. id, 'succeeded', fields)
      verdicts[#verdicts + 1] = 'ok'
    else
      verdicts[#verdicts + 1] = succeed(ctx, by, note, id, '1', started_at, '', '')
    end
  end
  if #ids > 0 then
    in_chunks('HDEL', ctx.p .. 'held:' .. by.incarnation, ids)
    move_all(ctx, ids, 'claimed', 'succeeded', by.name)
  end
end

-- incarnation, what `claim` reads, the numbers of plain and of other successes, two words for
-- each of the former, five for each of the latter, then eight for each of the others. Returns the
-- verdicts in that order (or '', if all are ok), and what `claim` returns, with plain jobs in
-- shared rows. A worker of an older version knows nothing of plain ones: one number, no rows.
define('finish', SHRINKS, function(ctx, args)
  local by, verdicts = caller(ctx, args[1]), {}
  local at = 5 + tonumber(args[4])
  local plain, rest = string.match(args[at], '^(%d+)%+(%d+)$')
  if by then
    by.in_rows = plain ~= nil
  end
  local successes = at + 1 + 2 * (plain or 0)
  local others = successes + 5 * (rest or args[at])
  succeed_plainly(ctx, by, args, at + 1, successes - 1, verdicts)
  succeed_all(ctx, by, args, successes, others - 1, verdicts)
  for i = others, #args, 8 do
    verdicts[#verdicts + 1] = finish(ctx, {
      id = args[i],
      attempt = tonumber(args[i + 1]),
      cause = args[i + 2],
      exit_code = args[i + 3],
      signal = args[i + 4],
      reason = args[i + 5],
      started_at = args[i + 6],
      dice = tonumber(args[i + 7]),
    })
  end
  local good = 0
  for i = 1, #verdicts do
    good = good + (verdicts[i] == 'ok' and 1 or 0)
  end
  if by and good > 0 then
    redis.call('HINCRBY', ctx.p .. 'worker:' .. by.incarnation, 'ended', good)
  end
  return { good == #verdicts and '' or verdicts, claim(ctx, by, args, 2) }
end)

-- incarnation, cause, then id and attempt of each job
define('hand_back', SHRINKS, function(ctx, args)
  local verdicts = {}
  -- Or it would be handed at once what it just gave back.
  stop_waiting(ctx, args[1])
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
