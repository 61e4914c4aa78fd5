-- Reading without writing.

-- The most priorities that are looked at for the oldest job of a queue, and the most holders
-- of a limit that are named.
local MOST_PRIORITIES, MOST_HOLDERS = 10, 20

-- The job as names and values; empty if it is not there.
local function read(ctx, id)
  local flat, f = redis.call('HGETALL', ctx.jobs .. id), {}
  for i = 1, #flat, 2 do
    f[flat[i]] = i + 1
  end
  local claim = f.status
    and unwritten_claim(ctx, id, flat[f.status], f.attempt, f.extras, flat[f.queue])
  if claim then
    flat[f.status] = 'claimed'
    for _, word in ipairs(claim) do
      flat[#flat + 1] = word
    end
  end
  return flat
end

-- ids; a job that is not there reads as an empty list
define('get', READS, function(ctx, args)
  local jobs = {}
  for i, id in ipairs(args) do
    jobs[i] = read(ctx, id)
  end
  return jobs
end)

-- statuses
define('counts', READS, function(ctx, args)
  local counts = {}
  for i, status in ipairs(args) do
    if INDEXED[status] then
      counts[i] = redis.call('ZCARD', ctx.p .. 'jobs:' .. status)
    else
      counts[i] = count_held(ctx) - redis.call('ZCARD', ctx.p .. 'jobs:running')
    end
  end
  return counts
end)

-- Whether a worker has been silent for too long; one without a heartbeat has been.
local function is_lost(ctx, key)
  local heartbeat_at = redis.call('HGET', key, 'heartbeat_at')
  return not heartbeat_at or silent_for(ctx, heartbeat_at, 1)
end

define('workers', READS, function(ctx)
  local workers = {}
  for _, incarnation in ipairs(redis.call('HVALS', ctx.p .. 'workers')) do
    local key = ctx.p .. 'worker:' .. incarnation
    local record = redis.call('HGETALL', key)
    record[#record + 1] = 'lost'
    record[#record + 1] = is_lost(ctx, key) and '1' or '0'
    workers[#workers + 1] = { record, redis.call('HKEYS', ctx.p .. 'held:' .. incarnation) }
  end
  return workers
end)

-- Names of the queues that have jobs (be they parked), a state or a rate, or that a worker
-- serves; some more than once.
define('queue_names', READS, function(ctx)
  local names = redis.call('SMEMBERS', ctx.p .. 'queues')
  for _, key in ipairs({ 'queues-state', 'parked-counts' }) do
    for _, queue in ipairs(redis.call('HKEYS', ctx.p .. key)) do
      names[#names + 1] = queue
    end
  end
  for _, rate in ipairs(redis.call('HKEYS', ctx.p .. 'rates')) do
    names[#names + 1] = string.match(rate, '^%a+:(.*)$')
  end
  for _, incarnation in ipairs(redis.call('HVALS', ctx.p .. 'workers')) do
    local queues = redis.call('HGET', ctx.p .. 'worker:' .. incarnation, 'queues') or ''
    for queue in string.gmatch(queues, '%S+') do
      names[#names + 1] = queue
    end
  end
  return names
end)

-- When the oldest of n queued jobs was submitted, '' for none. At each priority that is the
-- first one, because what comes back goes to the head.
local function oldest_at(ctx, queue, n)
  local oldest, least = nil, '-inf'
  for _ = 1, math.min(n, MOST_PRIORITIES) do
    local first = redis.call('ZRANGEBYSCORE', ctx.p .. 'queue:' .. queue, least, '+inf',
      'WITHSCORES', 'LIMIT', 0, 1)
    if not first[1] then
      break
    end
    local at = tonumber(redis.call('HGET', ctx.jobs .. first[1], 'submitted_at'))
    oldest = math.min(oldest or at, at)
    local level = math.floor((tonumber(first[2]) + STRIDE / 2) / STRIDE)
    least = string.format('%.0f', (level + 1) * STRIDE - STRIDE / 2)
  end
  return oldest and string.format('%.0f', oldest) or ''
end

-- names. How each of these queues stands: the caller asks for some at a time.
define('queues', READS, function(ctx, args)
  local rates = {}
  for i, queue in ipairs(args) do
    rates[2 * i - 1], rates[2 * i] = 'start:' .. queue, 'submit:' .. queue
  end
  rates = redis.call('HMGET', ctx.p .. 'rates', unpack(rates))
  local states = redis.call('HMGET', ctx.p .. 'queues-state', unpack(args))
  local parked = redis.call('HMGET', ctx.p .. 'parked-counts', unpack(args))
  local found = {}
  for i, queue in ipairs(args) do
    local queued = redis.call('ZCARD', ctx.p .. 'queue:' .. queue)
    found[i] = {
      'name', queue, 'state', states[i] or 'open',
      'queued', tostring(queued), 'parked', parked[i] or '0',
      'oldest_at', oldest_at(ctx, queue, queued),
      'start_rate', rates[2 * i - 1] or '', 'submit_rate', rates[2 * i] or '',
    }
  end
  return found
end)

-- array
define('array', READS, function(ctx, args)
  local record = redis.call('HGETALL', ctx.p .. 'array:' .. args[1])
  if #record > 0 then
    record[#record + 1] = 'submitted'
    record[#record + 1] = tostring(redis.call('ZCARD', ctx.p .. 'members:' .. args[1]))
  end
  return record
end)

define('schedules', READS, function(ctx)
  return redis.call('HGETALL', ctx.p .. 'schedules')
end)

-- Parents of a blocked job that are not over: id -> status, '' for an array; and of the arrays
-- among them, id -> how many jobs are over, of how many.
local function open_parents(ctx, job)
  local open, arrays = {}, {}
  for _, parent in ipairs(cjson.decode(redis.call('HGET', job.key, 'after'))) do
    if parent_state(ctx, parent) == 'open' then
      open[parent] = (find(ctx, parent) or { status = '' }).status
      local array = open[parent] == '' and find_array(ctx, parent)
      if array then
        local there = redis.call('ZCARD', ctx.p .. 'members:' .. parent) + array.gone
        arrays[parent] =
          { array.succeeded + array.failed + array.cancelled, math.max(array.size, there) }
      end
    end
  end
  return open, arrays
end

-- Names of living workers that take from a queue.
local function serving(ctx, queue)
  local names = {}
  for _, incarnation in ipairs(redis.call('HVALS', ctx.p .. 'workers')) do
    local key = ctx.p .. 'worker:' .. incarnation
    local f = redis.call('HMGET', key, 'name', 'queues', 'draining')
    local own = queue == OWN .. f[1]
    local takes = string.find(' ' .. (f[2] or '') .. ' ', ' ' .. queue .. ' ', 1, true)
    local open = not f[3] and (takes or own) or f[3] == 'trial' and own
    if open and not is_lost(ctx, key) then
      names[#names + 1] = f[1]
    end
  end
  return names
end

-- id. Returns the job, and names and values of what else explains where it stands.
define('facts', READS, function(ctx, args)
  local job = find(ctx, args[1])
  if not job then
    return { {}, {} }
  end
  local facts = {
    'now', ctx.at, 'queue_state', state_of(ctx, job.queue),
    'serving', cjson.encode(serving(ctx, job.queue)),
  }
  local function add_fact(name, value)
    facts[#facts + 1] = name
    facts[#facts + 1] = value
  end
  local free, wait = grant(ctx, job.queue, 1)
  if free < 1 then
    add_fact('rate_wait', string.format('%.0f', wait))
  end
  local ahead = redis.call('ZRANK', ctx.p .. 'queue:' .. job.queue, job.id)
  if has(job, 'l') then
    local name = redis.call('HGET', job.key, 'concurrency_key')
    local parked = redis.call('ZRANK', ctx.p .. 'parked:' .. name, job.id)
    add_fact('parked', parked and '1' or '0')
    ahead = ahead or parked
    local holding = redis.call('SMEMBERS', ctx.p .. 'holders:' .. name)
    table.sort(holding)
    add_fact('holders', cjson.encode({ unpack(holding, 1, math.min(#holding, MOST_HOLDERS)) }))
  end
  if ahead then
    add_fact('ahead', tostring(ahead))
  end
  if job.status == 'blocked' then
    local parents, arrays = open_parents(ctx, job)
    add_fact('parents', cjson.encode(parents))
    add_fact('arrays', cjson.encode(arrays))
  end
  if HELD[job.status] then
    local heard = redis.call('HGET', ctx.p .. 'worker:' .. job.incarnation, 'heartbeat_at')
    local ends = redis.call('ZSCORE', ctx.p .. 'leases', job.incarnation)
    add_fact('lease', string.format('%.0f', ctx.lease))
    if heard and ends then
      add_fact('silence', string.format('%.0f', ctx.now - heard))
      -- No lease ends before the grace after a gap is over (see may_end).
      add_fact('lease_left', string.format('%.0f', math.max(ends, ctx.grace_until) - ctx.now))
    end
  end
  return { read(ctx, job.id), facts }
end)
