-- What is written once, at the end of a call; and what a call is.

local MAX_TOKENS = 64
-- The stream is capped by what it weighs: an entry is as long as its call was big.
local EVENTS_BYTES, FEWEST_EVENTS, MOST_EVENTS = 8 * 1024 * 1024, 1000, 10000

-- Takes members out of a zset ordered by id. Those of one call are mostly neighbours: then
-- one search finds them all.
local function take_out(key, ids)
  local first, last = ids[1], ids[1]
  for i = 2, #ids do
    local id = ids[i]
    if id > last then
      last = id
    elseif id < first then
      first = id
    end
  end
  if #ids > 2 and redis.call('ZLEXCOUNT', key, '[' .. first, '[' .. last) == #ids then
    redis.call('ZREMRANGEBYLEX', key, '[' .. first, '[' .. last)
  else
    in_chunks('ZREM', key, ids)
  end
end

local function write_indexes(ctx)
  local gone, come = {}, {}
  local later = next(ctx.last) ~= nil
  local function note(into, key, id, score)
    local list = into[key]
    if not list then
      list = {}
      into[key] = list
    end
    if score then
      list[#list + 1] = score
    end
    list[#list + 1] = id
  end
  for _, id in ipairs(ctx.moved) do
    local from, to, name = ctx.first[id], ctx.last[id], ctx.names[id]
    if from ~= to then
      if INDEXED[from] then
        note(gone, 'jobs:' .. from, id)
      end
      if INDEXED[to] then
        note(come, 'jobs:' .. to, id, '0')
      end
      if name then
        if from ~= 'new' then
          note(gone, 'named:' .. from .. ':' .. name, id)
        end
        note(come, 'named:' .. to .. ':' .. name, id, '0')
      end
    end
  end
  for _, crowd in ipairs(ctx.crowds) do
    for _, id in ipairs(crowd.ids) do
      -- What else has become of it since.
      local to = later and ctx.last[id] or crowd.to
      if INDEXED[crowd.was] then
        note(gone, 'jobs:' .. crowd.was, id)
      end
      if INDEXED[to] then
        note(come, 'jobs:' .. to, id, '0')
      end
    end
  end
  for key, ids in pairs(gone) do
    take_out(ctx.p .. key, ids)
  end
  for key, entries in pairs(come) do
    in_chunks('ZADD', ctx.p .. key, entries)
  end
end

local function write_event(ctx)
  local entry, size = {}, 0
  for _, kind in ipairs(ctx.kinds) do
    local jobs = table.concat(ctx.changes[kind], ' ')
    entry[#entry + 1] = kind
    entry[#entry + 1] = jobs
    size = size + #kind + #jobs
  end
  local usual = ctx.entry or size
  local average = usual + (size - usual) / 16
  local most = math.floor(math.max(FEWEST_EVENTS, math.min(MOST_EVENTS, EVENTS_BYTES / average)))
  redis.call('XADD', ctx.p .. 'events', 'MAXLEN', '~', most, '*', unpack(entry))
  -- Worth a write only when it says something new.
  if not ctx.entry or math.abs(size - usual) > usual / 4 then
    redis.call('HSET', ctx.p .. 'meta', 'entry', string.format('%.0f', average))
  end
end

-- The wake invariant: a queue from which something can be claimed has a token for each of
-- its jobs, at most MAX_TOKENS, so a worker that blocks on the wake list always wakes.
local function settle(ctx, queue)
  local wake = ctx.p .. 'wake:' .. queue
  local length = redis.call('ZCARD', ctx.p .. 'queue:' .. queue)
  redis.call(length == 0 and 'SREM' or 'SADD', ctx.p .. 'queues', queue)
  local wanted = length > 0 and wakes(ctx, queue) and math.min(length, MAX_TOKENS) or 0
  if wanted == 0 and ctx.nudged[queue] then
    wanted = 1
  end
  local tokens = redis.call('LLEN', wake)
  if tokens > wanted then
    redis.call('LTRIM', wake, 1, wanted)
  elseif tokens < wanted then
    local fresh = {}
    for i = 1, wanted - tokens do
      fresh[i] = '1'
    end
    redis.call('RPUSH', wake, unpack(fresh))
  end
end

-- Takes from what workers hold what was let go; before anything reads it.
local function write_drops(ctx)
  for incarnation, ids in pairs(ctx.dropped) do
    in_chunks('HDEL', ctx.p .. 'held:' .. incarnation, ids)
    ctx.dropped[incarnation] = nil
  end
end

local function flush(ctx)
  if ctx.cascades then
    cascade(ctx)
  end
  write_drops(ctx)
  write_places(ctx)
  hand_over(ctx)
  if not ctx.schema then
    redis.call('HSET', ctx.p .. 'meta', 'schema', SCHEMA)
  end
  if ctx.placed then
    redis.call('HSET', ctx.p .. 'meta', 'head', ctx.head, 'tail', ctx.tail)
  end
  if #ctx.kinds > 0 then
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
local THESE_SCHEMAS = { [THIS_SCHEMA] = true }

-- express: what may do it all at once, without a context; nil from it if it did nothing.
local function define(name, flags, body, schemas, express)
  redis.register_function({
    function_name = LIBRARY .. '_' .. name,
    flags = flags,
    callback = function(keys, args)
      local quick = express and express(keys[1], args)
      if quick then
        return quick
      end
      local ctx, refusal = begin(keys[1], schemas or THESE_SCHEMAS, flags == READS)
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
