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
