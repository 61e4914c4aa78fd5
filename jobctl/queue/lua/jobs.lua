-- What producers and users do with jobs: submit, cancel, retry.

-- How many jobs of a submit there are by queue, and whether any of them names others.
local function count_jobs(ctx, args, first, only_new)
  local counts, linked = {}, false
  local i = first
  while i <= #args do
    if not only_new or redis.call('EXISTS', ctx.jobs .. args[i]) == 0 then
      counts[args[i + 1]] = (counts[args[i + 1]] or 0) + 1
      linked = linked or string.find(args[i + 2], '[aw]')
    end
    i = i + HEAD + 2 * args[i + 3]
  end
  return counts, linked
end

local function closed_queue(ctx, counts)
  for queue in pairs(counts) do
    if state_of(ctx, queue) == 'draining' then
      return queue
    end
  end
end

-- Whether the jobs of a submit can be taken in, before anything is written: all or none.
-- Nil, or an error reply. Jobs that are in already are sent again because the reply was lost:
-- they are not refused for what happened since. Only a refusal looks for them.
local function refuse(ctx, client, args, first)
  local counts, linked = count_jobs(ctx, args, first)
  local closed = closed_queue(ctx, counts)
    and closed_queue(ctx, (count_jobs(ctx, args, first, true)))
  if closed then
    return redis.error_reply('QUEUECLOSED ' .. closed)
  end
  local refusal = linked and refuse_links(ctx, args, first)
  if refusal then
    return refusal
  end
  local wait = admit_submits(ctx, client, counts)
    and admit_submits(ctx, client, (count_jobs(ctx, args, first, true)))
  return wait and redis.error_reply('RATELIMITED ' .. wait) or nil
end

-- Queued now, or when it is due. `fields` are added.
local function queue_at(ctx, job, due, fields)
  if due and due > ctx.now then
    due = string.format('%.0f', due)
    set_status(ctx, job, 'scheduled', fields)
    redis.call('HSET', job.key, 'due_at', due)
    schedule(ctx, job, due)
  else
    set_status(ctx, job, 'queued', fields)
    if due then
      redis.call('HDEL', job.key, 'due_at')
    end
    enqueue(ctx, job, false)
  end
end

-- A job that uses rare features; f are its fields by name, `fields` the same as a list.
-- Returns the time if it is queued now, else 1, or the id of the job that has its key.
local function submit_rare(ctx, job, f, fields)
  if f.key then
    local id = redis.call('GET', ctx.p .. 'key:' .. f.key)
    if id then
      call_alias(ctx, job.id, id)
      return id
    end
    redis.call('SET', ctx.p .. 'key:' .. f.key, job.id)
  end
  job.extras = f.extras or ''
  job.name = f.name or ''
  job.priority = tonumber(f.priority) or 0
  local due = tonumber(f.due_at)
  if due and string.sub(f.due_at, 1, 1) == '+' then
    due = ctx.now + due
  end
  local open, lost = 0, nil
  if f.array then
    lost = join_array(ctx, job, f)
  end
  if f.after and not lost then
    local after, changed = resolve(ctx, f.after)
    if changed then
      fields[#fields + 1] = 'after'
      fields[#fields + 1] = changed
    end
    open, lost = attach(ctx, job, after, f.after_policy)
  end
  if lost then
    fields[#fields + 1] = 'reason'
    fields[#fields + 1] = lost
    conclude(ctx, job, 'cancelled', 'cancelled', fields)
    redis.call('HDEL', job.key, 'due_at')
  elseif open > 0 then
    fields[#fields + 1] = 'blockers'
    fields[#fields + 1] = open
    if due then
      fields[#fields + 1] = 'due_at'
      fields[#fields + 1] = string.format('%.0f', due)
    end
    set_status(ctx, job, 'blocked', fields)
  else
    queue_at(ctx, job, due, fields)
  end
  return job.status == 'queued' and ctx.now or 1
end

-- One job from args[i] on: its id, queue, marks, number of fields, and the fields. Returns
-- the time (ms) if it is queued now, 1 if it is not, 0 if the id was there, or the id of the
-- job that has its key.
local function submit_one(ctx, args, i)
  local id, queue, marks = args[i], args[i + 1], args[i + 2]
  local first, last = i + HEAD, i + HEAD - 1 + 2 * args[i + 3]
  local key = ctx.p .. 'job:' .. id
  if redis.call('EXISTS', key) == 1 then
    return 0
  end
  local job = {
    id = id, key = key, status = 'new', queue = queue, name = '', worker = '', attempt = 0,
    extras = '', priority = 0,
  }
  local fields = { 'id', id, 'queue', queue, 'submitted_at', ctx.at, unpack(args, first, last) }
  if marks ~= '' then
    local f = {}
    for j = first, last, 2 do
      f[args[j]] = args[j + 1]
    end
    return submit_rare(ctx, job, f, fields)
  end
  set_status(ctx, job, 'queued', fields)
  enqueue(ctx, job, false)
  return ctx.now
end

-- client, then HEAD words and the fields of each job
define('submit', GROWS, function(ctx, args)
  local refusal = refuse(ctx, args[1], args, 2)
  if refusal then
    return refusal
  end
  local created = {}
  local i = 2
  while i <= #args do
    created[#created + 1] = submit_one(ctx, args, i)
    i = i + HEAD + 2 * args[i + 3]
  end
  return created
end, nil, submit_to_waiting)

local function wrong_status(job)
  return redis.error_reply('WRONGSTATUS ' .. job.id .. ' ' .. job.status)
end

-- Ends a job that is not over: at once, or (running) by its worker, whose finish or loss
-- then makes it cancelled.
function revoke(ctx, job, reason)
  if HELD[job.status] then
    tell(ctx, job.incarnation, 'cancel ' .. job.id .. ' ' .. job.attempt)
  end
  if job.status == 'running' then
    redis.call('HSET', job.key, 'cancelling', 1)
    job.cancelling = true
    note_held(ctx, job)
    return
  end
  if job.status == 'claimed' then
    let_go(ctx, job)
  elseif job.status == 'queued' then
    write_places(ctx)
    redis.call('ZREM', ctx.p .. 'queue:' .. job.queue, job.id)
    ctx.queues[job.queue] = true
    if has(job, 'l') then
      leave_limit(ctx, job)
    end
  else
    redis.call('ZREM', ctx.p .. 'due', job.id)
    redis.call('HDEL', job.key, 'due_at', 'blockers')
    -- There may be a token that told of what was due.
    ctx.queues[job.queue] = true
  end
  -- How an earlier attempt failed is in the history; it is not why the job ends.
  redis.call('HDEL', job.key, 'exit_code', 'signal', 'reason')
  conclude(ctx, job, 'cancelled', 'cancelled', reason and { 'reason', reason } or {})
end

define('cancel', SHRINKS, function(ctx, args)
  local job = find(ctx, args[1])
  if not job then
    return redis.error_reply('UNKNOWNJOB ' .. args[1])
  end
  if TERMINAL[job.status] then
    return wrong_status(job)
  end
  revoke(ctx, job)
  return redis.call('HGETALL', job.key)
end)

-- A new run, at once: its parents are not asked again. The attempt goes on counting, because
-- it is the fence.
local function retry(ctx, job)
  local f = redis.call('HMGET', job.key,
    'accepted', 'cause', 'exit_code', 'signal', 'reason', 'finished_at', 'run')
  f[1] = accepted(job)
  if job.status == 'succeeded' then
    f[3] = '0' -- is not written
  end
  if f[1] then
    remember(ctx, job, f[2] or '',
      { exit_code = f[3] or '', signal = f[4] or '', reason = f[5] or '', ended_at = f[6] })
  end
  if has(job, 'a') then
    count_member(ctx, job, job.status, -1)
  end
  if has(job, 'c') then
    set_apart(ctx, job.id)
  end
  ctx.parents[job.id] = nil
  if job.status == 'succeeded' then
    -- The next run starts over; after a failure it may go on where the last one was.
    redis.call('HDEL', job.key, 'checkpoint')
  end
  redis.call('HDEL', job.key, 'finished_at', 'accepted', 'cause', 'exit_code', 'signal', 'reason',
    'result', 'step', 'progress', 'failures', 'crashes', 'losses', 'worker', 'incarnation',
    'claimed_at', 'started_at')
  job.worker = ''
  local fields = { 'run', (tonumber(f[7]) or 1) + 1 }
  if f[1] then
    -- That attempt's finish may yet be repeated, and was taken.
    fields[3], fields[4] = 'ended', f[1]
  end
  set_status(ctx, job, 'queued', fields)
  enqueue(ctx, job, false)
end

define('retry', GROWS, function(ctx, args)
  local job = find(ctx, args[1])
  if not job then
    return redis.error_reply('UNKNOWNJOB ' .. args[1])
  end
  if not TERMINAL[job.status] then
    return wrong_status(job)
  end
  retry(ctx, job)
  return redis.call('HGETALL', job.key)
end)

-- limit, cursor or '', name or '', cause or ''. Looks at up to `limit` failed jobs, oldest
-- first; returns where to go on ('' at the end) and the ids it retried.
define('retry_dead', GROWS, function(ctx, args)
  local limit, cursor, name, cause = tonumber(args[1]), args[2], args[3], args[4]
  local index = ctx.p .. (name == '' and 'jobs:failed' or 'named:failed:' .. name)
  local ids = redis.call('ZRANGEBYLEX', index, cursor == '' and '-' or '(' .. cursor, '+',
    'LIMIT', 0, limit)
  local retried = {}
  for _, id in ipairs(ids) do
    local job = find(ctx, id)
    if cause == '' or redis.call('HGET', job.key, 'cause') == cause then
      retry(ctx, job)
      retried[#retried + 1] = id
    end
  end
  return { #ids == limit and ids[limit] or '', retried }
end)

-- array, size, max_fails or ''
define('open_array', GROWS, function(ctx, args)
  open_array(ctx, args[1], args[2], args[3] ~= '' and args[3] or nil)
  return 1
end)

define('cancel_array', SHRINKS, function(ctx, args)
  local array = find_array(ctx, args[1])
  if not array then
    return redis.error_reply('UNKNOWNJOB ' .. args[1])
  end
  if not array.over then
    doom(ctx, array, 'its array was cancelled')
  end
  return 1
end)
