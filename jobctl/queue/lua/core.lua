-- The ground everything stands on: a call's context and the one writer of `status`. What is
-- written once at the end of a call is in flush.lua.
--
-- Keys, all under the prefix p = "{<project>}:" which is the only KEYS entry:
--   meta              hash    schema, lease (ms), swept_at, grace_until, head, tail, entry,
--                             apart (how many times what was over opened too early again)
--   job:<id>          hash    the job (the claim of some is not in it: unwritten_claim)
--   jobs:<status>     zset    ids with that status; all scores 0, so ordered by id. None
--                             for claimed: those are in held:<incarnation>, not in running
--   named:<status>:<name> zset  the same for the jobs of one name
--   queue:<queue>     zset    queued ids by place; the lowest is next
--   queues            set     queues that are not empty
--   wake:<queue>      list    tokens that idle workers block on
--   due               zset    scheduled ids by the time they are due (ms)
--   leases            zset    incarnations by the time their lease ends (ms)
--   held:<incarnation>   hash ids that this worker process holds -> see leases.lua
--   worker:<incarnation> hash the worker
--   inbox:<incarnation>  list what it is told
--   waiting:<queue>, handed:<incarnation>: see waiting.lua
--   workers           hash    worker name -> its incarnation
--   events            stream  one entry per call that changed a status

local DEFAULT_LEASE = 10000
-- unpack() is limited by Lua's stack. Even, because scores and members come in pairs.
local CHUNK = 1000
-- A place in the queue is -priority * STRIDE + a number that counts up (or down: the head).
local STRIDE = 2 ^ 45

local STATE = {
  'status', 'attempt', 'queue', 'name', 'worker', 'incarnation', 'failures', 'crashes',
  'cancelling', 'ended', 'claimed_at', 'started_at', 'priority', 'extras', 'accepted',
  'losses',
}

-- Defined further down the library, needed further up.
local conclude, revoke, cascade, wakes, note_held, stop_waiting, hand_over

local function in_chunks(command, key, values)
  for i = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, i, math.min(i + CHUNK - 1, #values)))
  end
end

local function begin(prefix, schemas, reads)
  local time = redis.call('TIME')
  local meta = redis.call('HMGET', prefix .. 'meta',
    'schema', 'lease', 'swept_at', 'grace_until', 'head', 'tail', 'entry')
  if meta[1] and not schemas[meta[1]] then
    local age = tonumber(meta[1]) > SCHEMA and 'NEWERSCHEMA ' or 'OLDERSCHEMA '
    return nil, redis.error_reply(age .. meta[1])
  end
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  return {
    p = prefix,
    jobs = prefix .. 'job:',
    now = now,
    -- Redis writes numbers of Lua with all their digits, which costs more than a command.
    at = string.format('%.0f', now),
    reads = reads, -- whether nothing may be written
    schema = meta[1],
    lease = tonumber(meta[2]) or DEFAULT_LEASE,
    swept_at = tonumber(meta[3]) or 0,
    grace_until = tonumber(meta[4]) or 0,
    head = tonumber(meta[5]) or 0,
    tail = tonumber(meta[6]) or 0,
    entry = tonumber(meta[7]),
    placed = false, -- whether head or tail changed
    moved = {}, -- ids in order, and for each: the status it had and the one it has now
    first = {},
    last = {},
    crowds = {}, -- of ids that moved together, see move_all; they are in first, too
    names = {}, -- of the moved jobs that have one
    kinds = {}, -- kinds of transition in order, and for each its jobs
    changes = {},
    queues = {}, -- queues whose wake list must be looked at
    nudged = {}, -- queues of which somebody must hear even if they are empty
    unlimited = {}, -- rates that there are not
    dropped = {}, -- incarnation -> ids it holds no more
    places = {}, -- queue -> places and ids that are to be added to it
    parents = {}, -- what flow.lua has read of parents
  }
end

local function write_status(key, status, fields, n)
  redis.call('HSET', key, 'status', status, unpack(fields, 1, n or #fields))
end

-- The claim of a job that uses nothing special is written in held:<incarnation> alone (see
-- leases.lua): mostly the job is over before anybody looks, and its finish writes it all.
-- What its hash would say, as names and values; nil if the job is as its hash says.
local function unwritten_claim(ctx, id, status, attempt, extras, queue)
  if status ~= 'queued' or attempt or extras
    or redis.call('ZSCORE', ctx.p .. 'queue:' .. queue, id) then
    return nil
  end
  for _, incarnation in ipairs(redis.call('ZRANGE', ctx.p .. 'leases', 0, -1)) do
    local note = redis.call('HGET', ctx.p .. 'held:' .. incarnation, id)
    if note then
      local worker = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'name')
      return {
        'attempt', '1', 'worker', worker or '', 'incarnation', incarnation,
        'claimed_at', string.sub(note, 3),
      }
    end
  end
end

-- The job's state; nil when there is no such job. Whatever is done to a job begins here, so
-- here an unwritten claim is written.
local function find(ctx, id)
  local key = ctx.jobs .. id
  local f = redis.call('HMGET', key, unpack(STATE))
  if not f[1] then
    return nil
  end
  local claim = unwritten_claim(ctx, id, f[1], f[2], f[14], f[3])
  if claim then
    if not ctx.reads then
      write_status(key, 'claimed', claim)
      redis.call('HSET', ctx.p .. 'held:' .. claim[6], id, '1')
    end
    f[1], f[2], f[5], f[6], f[11] = 'claimed', '1', claim[4], claim[6], claim[8]
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
    priority = tonumber(f[13]) or 0,
    extras = f[14] or '',
    accepted = tonumber(f[15]),
    losses = tonumber(f[16]) or 0,
  }
end

-- The attempt that ended the run. Only a finish makes a job succeeded, so that it was the
-- last one need not be written down.
local function accepted(job)
  return job.status == 'succeeded' and job.attempt or job.accepted
end

-- The list that tells, in this call's event, of one kind of change.
local function changes_of(ctx, was, to, worker, cause)
  local kind = (was == 'new' and '-' or was) .. ' ' .. to
    .. (worker ~= '' and ' ' .. worker or ' -') .. (cause and cause ~= '' and ' ' .. cause or ' -')
  local list = ctx.changes[kind]
  if not list then
    list = {}
    ctx.changes[kind] = list
    ctx.kinds[#ctx.kinds + 1] = kind
  end
  return list
end

-- A change of status, for the index that lists the job and the event that tells of it.
local function move(ctx, job, to, cause)
  local id, was = job.id, job.status
  if not ALLOWED[was][to] then
    error('no way from ' .. was .. ' to ' .. to)
  end
  job.status = to
  if not ctx.first[id] then
    ctx.first[id] = was
    ctx.moved[#ctx.moved + 1] = id
    if job.name ~= '' then
      ctx.names[id] = job.name
    end
  end
  ctx.last[id] = to

  -- The jobs of a batch mostly change in the same way, one after the other.
  local list = ctx.list
  if ctx.was ~= was or ctx.to ~= to or ctx.by ~= job.worker or ctx.cause ~= cause then
    list = changes_of(ctx, was, to, job.worker, cause)
    ctx.list, ctx.was, ctx.to, ctx.by, ctx.cause = list, was, to, job.worker, cause
  end
  -- Of most jobs there is one attempt, and it is not written.
  local first = was == 'new' and 0 or 1
  list[#list + 1] = tonumber(job.attempt) == first and id or id .. ':' .. job.attempt
end

-- The same for jobs that had no attempt before this one, that have no name, and that nothing has
-- happened to in this call: all at once costs a tenth of one by one. The caller has noted them
-- in ctx.first.
local function move_all(ctx, ids, was, to, worker)
  if #ids == 0 then
    return
  end
  if not ALLOWED[was][to] then
    error('no way from ' .. was .. ' to ' .. to)
  end
  ctx.crowds[#ctx.crowds + 1] = { was = was, to = to, ids = ids }
  local list = changes_of(ctx, was, to, worker)
  list[#list + 1] = table.concat(ids, ' ')
end

-- Any change of status but an unwritten claim: with the job's other fields, a flat list of
-- names and values.
local function set_status(ctx, job, to, fields, cause, n)
  move(ctx, job, to, cause)
  write_status(job.key, to, fields, n)
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
  ctx.placed = true
  local places = ctx.places[job.queue]
  if not places then
    places = {}
    ctx.places[job.queue] = places
  end
  places[#places + 1] = string.format('%.0f', place - job.priority * STRIDE)
  places[#places + 1] = job.id
  ctx.queues[job.queue] = true
end

-- Adds to the queues what was enqueued; before anything reads them.
local function write_places(ctx)
  for queue, places in pairs(ctx.places) do
    in_chunks('ZADD', ctx.p .. 'queue:' .. queue, places)
    ctx.places[queue] = nil
  end
end

-- The caller has set, or will set, the status to scheduled. Whoever waits for what is due
-- first must hear of what is due even sooner.
local function schedule(ctx, job, due)
  due = tonumber(due)
  local soonest = redis.call('ZRANGE', ctx.p .. 'due', 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', ctx.p .. 'due', due, job.id)
  if not soonest or due < tonumber(soonest) then
    ctx.queues[job.queue] = true
    ctx.nudged[job.queue] = true
  end
end
