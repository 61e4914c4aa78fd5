#!lua name=jobctl1
local SCHEMA, LIBRARY, MAX_CRASHES = 1, 'jobctl1', 3
local HELD, TERMINAL = { ['claimed'] = true, ['running'] = true }, { ['cancelled'] = true, ['failed'] = true, ['succeeded'] = true }
local FAILURES, CRASHES = { ['exit'] = true, ['oom'] = true, ['rejected'] = true, ['signal'] = true, ['timeout'] = true }, { ['chaos'] = true, ['node-lost'] = true, ['worker-lost'] = true }
local BACKOFF = { base = 1.0, cap = 60.0, jitter = 0.2 }
local ALLOWED = {
  ['new'] = { ['queued'] = true },
  ['scheduled'] = { ['cancelled'] = true, ['queued'] = true },
  ['queued'] = { ['cancelled'] = true, ['claimed'] = true },
  ['claimed'] = { ['cancelled'] = true, ['failed'] = true, ['queued'] = true, ['running'] = true, ['scheduled'] = true, ['succeeded'] = true },
  ['running'] = { ['cancelled'] = true, ['failed'] = true, ['queued'] = true, ['scheduled'] = true, ['succeeded'] = true },
  ['succeeded'] = { ['queued'] = true },
  ['failed'] = { ['queued'] = true },
  ['cancelled'] = { ['queued'] = true },
}
-- The ground everything stands on: a call's context, the one writer of `status`, and
-- what is written once at the end of a call.
--
-- Keys, all under the prefix p = "{<project>}:" which is the only KEYS entry:
--   meta              hash    schema, lease (ms), swept_at, grace_until, head, tail
--   job:<id>          hash    the job
--   jobs:<status>     zset    ids with that status; all scores 0, so ordered by id
--   named:<status>:<name> zset  the same for the jobs of one name
--   queue:<queue>     zset    queued ids by place; the lowest is next
--   queues            set     queues that are not empty
--   wake:<queue>      list    tokens that idle workers block on
--   due               zset    scheduled ids by the time they are due (ms)
--   leases            zset    held ids by the time their lease ends (ms)
--   held:<incarnation>   set  ids that this worker process holds
--   worker:<incarnation> hash the worker; inbox:<incarnation> list, what it is told
--   workers           hash    worker name -> its incarnation
--   events            stream  one entry per call that changed a status

local DEFAULT_LEASE = 10000
local MAX_TOKENS = 64
local MAX_EVENTS = 10000
local MAX_HISTORY = 20
-- unpack() is limited by Lua's stack. Even, because scores and members come in pairs.
local CHUNK = 1000

local STATE = {
  'status', 'attempt', 'queue', 'name', 'worker', 'incarnation', 'failures', 'crashes',
  'cancelling', 'ended', 'claimed_at', 'started_at',
}

local function in_chunks(command, key, values)
  for i = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, i, math.min(i + CHUNK - 1, #values)))
  end
end

local function begin(prefix)
  local time = redis.call('TIME')
  local meta = redis.call('HMGET', prefix .. 'meta',
    'schema', 'lease', 'swept_at', 'grace_until', 'head', 'tail')
  if meta[1] and tonumber(meta[1]) > SCHEMA then
    return nil, redis.error_reply('NEWERSCHEMA ' .. meta[1])
  end
  return {
    p = prefix,
    now = time[1] * 1000 + math.floor(time[2] / 1000),
    schema = meta[1],
    lease = tonumber(meta[2]) or DEFAULT_LEASE,
    swept_at = tonumber(meta[3]) or 0,
    grace_until = tonumber(meta[4]) or 0,
    head = tonumber(meta[5]) or 0,
    tail = tonumber(meta[6]) or 0,
    moved = {}, -- ids in order, and for each: the index it left and the one it is in now
    moves = {},
    kinds = {}, -- kinds of transition in order, and for each its jobs
    changes = {},
    queues = {}, -- queues whose wake list must be looked at
  }
end

-- The job's state; nil when there is no such job.
local function find(ctx, id)
  local key = ctx.p .. 'job:' .. id
  local f = redis.call('HMGET', key, unpack(STATE))
  if not f[1] then
    return nil
  end
  return {
    id = id,
    key = key,
    status = f[1],
    attempt = tonumber(f[2]) or 0,
    queue = f[3],
    name = f[4] or '',
    worker = f[5] or '',
    incarnation = f[6] or '',
    failures = tonumber(f[7]) or 0,
    crashes = tonumber(f[8]) or 0,
    cancelling = f[9] == '1',
    ended = tonumber(f[10]),
    claimed_at = tonumber(f[11]),
    started_at = tonumber(f[12]),
  }
end

-- The one place that writes `status`: with the job's other fields, the index that lists
-- it and the event that tells of it. `fields` is a flat list of names and values.
local function set_status(ctx, job, to, fields, cause)
  local was = job.status
  if not ALLOWED[was][to] then
    error('no way from ' .. was .. ' to ' .. to)
  end
  redis.call('HSET', job.key, 'status', to, unpack(fields))
  job.status = to

  local move = ctx.moves[job.id]
  if move then
    move.to = to
  else
    ctx.moves[job.id] = { from = was, to = to, name = job.name }
    ctx.moved[#ctx.moved + 1] = job.id
  end

  local kind = table.concat({
    was == 'new' and '-' or was, to,
    job.worker ~= '' and job.worker or '-', cause and cause ~= '' and cause or '-',
  }, ' ')
  local change = ctx.changes[kind]
  if not change then
    change = {}
    ctx.changes[kind] = change
    ctx.kinds[#ctx.kinds + 1] = kind
  end
  change[#change + 1] = job.id .. ':' .. job.attempt
end

-- The caller has set, or will set, the status to queued.
local function enqueue(ctx, job, at_head)
  local place
  if at_head then
    ctx.head = ctx.head - 1
    place = ctx.head
  else
    ctx.tail = ctx.tail + 1
    place = ctx.tail
  end
  redis.call('ZADD', ctx.p .. 'queue:' .. job.queue, place, job.id)
  ctx.queues[job.queue] = true
end

local function write_indexes(ctx)
  local gone, come = {}, {}
  local function note(into, key, score, id)
    local list = into[key] or {}
    into[key] = list
    if score then
      list[#list + 1] = score
    end
    list[#list + 1] = id
  end
  for _, id in ipairs(ctx.moved) do
    local move = ctx.moves[id]
    if move.from ~= 'new' then
      note(gone, 'jobs:' .. move.from, nil, id)
    end
    note(come, 'jobs:' .. move.to, 0, id)
    if move.name ~= '' then
      if move.from ~= 'new' then
        note(gone, 'named:' .. move.from .. ':' .. move.name, nil, id)
      end
      note(come, 'named:' .. move.to .. ':' .. move.name, 0, id)
    end
  end
  for key, ids in pairs(gone) do
    in_chunks('ZREM', ctx.p .. key, ids)
  end
  for key, entries in pairs(come) do
    in_chunks('ZADD', ctx.p .. key, entries)
  end
end

local function write_event(ctx)
  local entry = {}
  for _, kind in ipairs(ctx.kinds) do
    entry[#entry + 1] = kind
    entry[#entry + 1] = table.concat(ctx.changes[kind], ' ')
  end
  redis.call('XADD', ctx.p .. 'events', 'MAXLEN', '~', MAX_EVENTS, '*', unpack(entry))
end

-- The wake invariant: a queue that is not empty has a token for each of its jobs, at
-- most MAX_TOKENS, so a worker that blocks on the wake list always wakes.
local function settle(ctx, queue)
  local wake = ctx.p .. 'wake:' .. queue
  local wanted = math.min(redis.call('ZCARD', ctx.p .. 'queue:' .. queue), MAX_TOKENS)
  if wanted == 0 then
    redis.call('DEL', wake)
    redis.call('SREM', ctx.p .. 'queues', queue)
    return
  end
  redis.call('SADD', ctx.p .. 'queues', queue)
  local tokens = redis.call('LLEN', wake)
  if tokens > wanted then
    redis.call('LTRIM', wake, 0, wanted - 1)
  end
  for _ = tokens + 1, wanted do
    redis.call('RPUSH', wake, '1')
  end
end

local function flush(ctx)
  if not ctx.schema then
    redis.call('HSET', ctx.p .. 'meta', 'schema', SCHEMA)
  end
  if #ctx.moved > 0 then
    redis.call('HSET', ctx.p .. 'meta', 'head', ctx.head, 'tail', ctx.tail)
    write_indexes(ctx)
    write_event(ctx)
  end
  for queue in pairs(ctx.queues) do
    settle(ctx, queue)
  end
end

-- Registers a function of the library. What does not need memory, or gives some back,
-- is allowed while Redis is full: jobs must be able to finish then.
local READS, SHRINKS, GROWS = { 'no-writes' }, { 'allow-oom' }, {}

local function define(name, flags, body)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name,
    flags = flags,
    callback = function(keys, args)
      local ctx, refusal = begin(keys[1])
      if refusal then
        return refusal
      end
      local reply = body(ctx, args)
      if flags ~= READS then
        flush(ctx)
      end
      return reply
    end,
  })
end

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

-- What producers do with a job.

-- Per job: id, queue, name, number of fields, then the fields.
define('submit', GROWS, function(ctx, args)
  local created = {}
  local i = 1
  while i <= #args do
    local id, queue, name, count = args[i], args[i + 1], args[i + 2], tonumber(args[i + 3])
    local key = ctx.p .. 'job:' .. id
    if redis.call('EXISTS', key) == 1 then
      created[#created + 1] = 0
    else
      local fields = { 'id', id, 'queue', queue, 'submitted_at', ctx.now }
      if name ~= '' then
        fields[#fields + 1] = 'name'
        fields[#fields + 1] = name
      end
      for j = i + 4, i + 3 + 2 * count do
        fields[#fields + 1] = args[j]
      end
      local job = {
        id = id, key = key, status = 'new', queue = queue, name = name, worker = '', attempt = 0,
      }
      set_status(ctx, job, 'queued', fields)
      enqueue(ctx, job, false)
      created[#created + 1] = 1
    end
    i = i + 4 + 2 * count
  end
  return created
end)

local function wrong_status(job)
  return redis.error_reply('WRONGSTATUS ' .. job.id .. ' ' .. job.status)
end

define('cancel', SHRINKS, function(ctx, args)
  local id = args[1]
  local job = find(ctx, id)
  if not job then
    return redis.error_reply('UNKNOWNJOB ' .. id)
  end
  if TERMINAL[job.status] then
    return wrong_status(job)
  end
  if HELD[job.status] then
    tell(ctx, job.incarnation, 'cancel ' .. id .. ' ' .. job.attempt)
  end
  if job.status == 'running' then
    -- Its worker ends it; the finish (or the worker's loss) makes it cancelled.
    redis.call('HSET', job.key, 'cancelling', 1)
  else
    if job.status == 'claimed' then
      let_go(ctx, job)
    elseif job.status == 'queued' then
      redis.call('ZREM', ctx.p .. 'queue:' .. job.queue, id)
      ctx.queues[job.queue] = true
    else
      redis.call('ZREM', ctx.p .. 'due', id)
      redis.call('HDEL', job.key, 'due_at')
    end
    conclude(ctx, job, 'cancelled', 'cancelled', {})
  end
  return redis.call('HGETALL', job.key)
end)

-- A new run: the attempt goes on counting, because it is the fence.
define('retry', GROWS, function(ctx, args)
  local id = args[1]
  local job = find(ctx, id)
  if not job then
    return redis.error_reply('UNKNOWNJOB ' .. id)
  end
  if not TERMINAL[job.status] then
    return wrong_status(job)
  end
  local f = redis.call('HMGET', job.key,
    'accepted', 'cause', 'exit_code', 'signal', 'reason', 'finished_at', 'run')
  if f[1] then
    remember(ctx, job, f[2] or '',
      { exit_code = f[3] or '', signal = f[4] or '', reason = f[5] or '', ended_at = f[6] })
  end
  if job.status == 'succeeded' then
    -- The next run starts over; after a failure it may go on where the last one was.
    redis.call('HDEL', job.key, 'checkpoint')
  end
  redis.call('HDEL', job.key, 'finished_at', 'accepted', 'cause', 'exit_code', 'signal', 'reason',
    'step', 'progress', 'failures', 'crashes', 'worker', 'incarnation', 'claimed_at', 'started_at')
  job.worker = ''
  set_status(ctx, job, 'queued', { 'run', (tonumber(f[7]) or 1) + 1 })
  enqueue(ctx, job, false)
  return redis.call('HGETALL', job.key)
end)

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
  if job.attempt > 0 then
    -- What the last attempt left; the checkpoint stays, that is what it is for.
    redis.call('HDEL', job.key, 'step', 'progress', 'cause', 'exit_code', 'signal', 'reason')
  end
  job.attempt = job.attempt + 1
  job.worker = worker
  set_status(ctx, job, 'claimed', {
    'attempt', job.attempt, 'worker', worker, 'incarnation', incarnation, 'claimed_at', ctx.now,
  })
  return redis.call('HGETALL', job.key)
end

-- Up to n jobs from the queues in the order given. args[at] is the number of queues,
-- their names follow. Returns the jobs, or nil for a worker that is not registered.
local function claim(ctx, incarnation, n, args, at)
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

-- incarnation, n, number of queues, the queues
define('claim', SHRINKS, function(ctx, args)
  local jobs = claim(ctx, args[1], tonumber(args[2]), args, 3)
  return jobs or redis.error_reply('UNKNOWNWORKER ' .. args[1])
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
  for _, name in ipairs({ 'exit_code', 'signal', 'reason' }) do
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

-- incarnation, n, number of queues, the queues, then nine words for each attempt
define('finish', SHRINKS, function(ctx, args)
  local verdicts = {}
  for i = 4 + tonumber(args[3]), #args, 9 do
    verdicts[#verdicts + 1] = finish(ctx, {
      id = args[i],
      attempt = tonumber(args[i + 1]),
      succeeded = args[i + 2] == '1',
      cause = args[i + 3],
      exit_code = args[i + 4],
      signal = args[i + 5],
      reason = args[i + 6],
      started_at = args[i + 7],
      dice = tonumber(args[i + 8]),
    })
  end
  return { verdicts, claim(ctx, args[1], tonumber(args[2]), args, 3) or {} }
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

-- Worker processes: known, alive, draining, gone.

-- A lost worker that holds nothing is forgotten after this many leases.
local FORGET_AFTER = 60

-- Whether its last heartbeat is older than n leases, counted from the end of a gap.
local function silent_for(ctx, heartbeat_at, n)
  return ctx.now - math.max(tonumber(heartbeat_at), ctx.grace_until - ctx.lease) > n * ctx.lease
end

local function forget(ctx, incarnation)
  local name = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'name')
  if name and redis.call('HGET', ctx.p .. 'workers', name) == incarnation then
    redis.call('HDEL', ctx.p .. 'workers', name)
  end
  redis.call('DEL', ctx.p .. 'worker:' .. incarnation, ctx.p .. 'inbox:' .. incarnation)
end

local function release(ctx, incarnation, cause)
  local ids = held_by(ctx, incarnation)
  for _, id in ipairs(ids) do
    lose(ctx, find(ctx, id), cause, {})
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
    release(ctx, current, 'worker-lost')
    redis.call('HSET', key, 'replaced', current)
  end
  redis.call('HSET', ctx.p .. 'workers', name, incarnation)
  redis.call('HSETNX', key, 'started_at', ctx.now)
  redis.call('HSET', key, 'incarnation', incarnation, 'name', name, 'pool', args[3],
    'container', args[4], 'concurrency', args[5], 'queues', args[6], 'heartbeat_at', ctx.now)
  return 1
end)

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
  for _, id in ipairs(held_by(ctx, incarnation)) do
    if not listed[id] then
      local job = find(ctx, id)
      if job.status == 'claimed' and ctx.now - job.claimed_at > ctx.lease / 2 then
        hand_back(ctx, job, '')
      end
    end
  end
end

-- incarnation, then id and attempt of every lease the worker has
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
      redis.call('ZADD', ctx.p .. 'leases', 'GT', ctx.now + ctx.lease, job.id)
      if job.cancelling then
        cancelling[#cancelling + 1] = job
      end
    end
    verdicts[#verdicts + 1] = verdict
  end
  return_strays(ctx, incarnation, listed)
  remind(ctx, incarnation, worker[3], cancelling)
  tend(ctx)
  return { worker[1] and 1 or 0, worker[2] and 1 or 0, verdicts }
end)

define('deregister', SHRINKS, function(ctx, args)
  for _, id in ipairs(held_by(ctx, args[1])) do
    hand_back(ctx, find(ctx, id), '')
  end
  forget(ctx, args[1])
  return 1
end)

-- incarnation, cause
define('release', SHRINKS, function(ctx, args)
  return release(ctx, args[1], args[2])
end)

-- name, grace in seconds or ''
define('drain', SHRINKS, function(ctx, args)
  local incarnation = redis.call('HGET', ctx.p .. 'workers', args[1])
  if not incarnation then
    return redis.error_reply('UNKNOWNWORKER ' .. args[1])
  end
  local key = ctx.p .. 'worker:' .. incarnation
  redis.call('HSET', key, 'draining', 1)
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
  redis.call('HDEL', ctx.p .. 'worker:' .. incarnation, 'draining', 'drain_until')
  tell(ctx, incarnation, 'undrain')
  return 1
end)

-- lease in ms
define('configure', SHRINKS, function(ctx, args)
  redis.call('HSET', ctx.p .. 'meta', 'lease', args[1])
  return 1
end)

local function forget_the_lost(ctx)
  local workers = redis.call('HVALS', ctx.p .. 'workers')
  for _, incarnation in ipairs(workers) do
    local heartbeat_at = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'heartbeat_at')
    if silent_for(ctx, heartbeat_at, FORGET_AFTER)
      and redis.call('SCARD', ctx.p .. 'held:' .. incarnation) == 0 then
      forget(ctx, incarnation)
    end
  end
end

-- limit
define('tick', SHRINKS, function(ctx, args)
  local limit = tonumber(args[1])
  local moved = sweep(ctx, limit) + promote(ctx, limit)
  forget_the_lost(ctx)
  -- A worker may have died between taking a token and claiming.
  for _, queue in ipairs(redis.call('SMEMBERS', ctx.p .. 'queues')) do
    ctx.queues[queue] = true
  end
  return moved
end)

-- Reading without writing.

-- ids; a job that is not there reads as an empty list
define('get', READS, function(ctx, args)
  local jobs = {}
  for i, id in ipairs(args) do
    jobs[i] = redis.call('HGETALL', ctx.p .. 'job:' .. id)
  end
  return jobs
end)

-- name or '', limit, cursor or '', statuses. Returns the next cursor or '', and the jobs.
-- A page costs the same however many jobs there are.
define('list', READS, function(ctx, args)
  local name, limit, cursor = args[1], tonumber(args[2]), args[3]
  local ids = {}
  for i = 4, #args do
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
