-- How many at once, and how many a second.
--
-- Keys:
--   holders:<key>      set   ids of held jobs with that concurrency key
--   parked:<key>       zset  queued ids that found no place there; the score is the place
--                            they had in their queue
--   parked-keys        set   concurrency keys with parked jobs
--   parked-counts      hash  queue -> how many of its jobs are parked, if any
--   rates              hash  start:<queue>, submit:<queue>, client -> [per second, burst]
--   bucket:<rate>[:…]  hash  tokens, at: a token bucket that is not full (it expires when it is)

-- How many parked jobs may be looked at to find one whose queue is open.
local PARKED_LOOK = 10
-- So far (ms) a clock may step back without being taken for one that was set.
local MOST_JITTER = 1000

local function count_parked(ctx, queue, by)
  if redis.call('HINCRBY', ctx.p .. 'parked-counts', queue, by) <= 0 then
    redis.call('HDEL', ctx.p .. 'parked-counts', queue)
  end
end

-- Whether a job with extras l may be claimed now; if not it is parked. `place` is its score.
local function admit(ctx, job, place)
  local f = redis.call('HMGET', job.key, 'concurrency_key', 'concurrency_limit')
  local name, holders = f[1], ctx.p .. 'holders:' .. f[1]
  if redis.call('SCARD', holders) < tonumber(f[2]) then
    redis.call('SADD', holders, job.id)
    return true
  end
  redis.call('ZADD', ctx.p .. 'parked:' .. name, place, job.id)
  redis.call('SADD', ctx.p .. 'parked-keys', name)
  count_parked(ctx, job.queue, 1)
  return false
end

-- Lets the first parked job of a key that can run now back to its place in its queue.
local function let_in(ctx, name)
  local parked = ctx.p .. 'parked:' .. name
  local holders = redis.call('SCARD', ctx.p .. 'holders:' .. name)
  local ids = redis.call('ZRANGE', parked, 0, PARKED_LOOK - 1, 'WITHSCORES')
  local in_the_way = {}
  local function unpark(id, place, queue)
    redis.call('ZREM', parked, id)
    count_parked(ctx, queue, -1)
    redis.call('ZADD', ctx.p .. 'queue:' .. queue, place, id)
    ctx.queues[queue] = true
  end
  for i = 1, #ids, 2 do
    local f = redis.call('HMGET', ctx.p .. 'job:' .. ids[i], 'queue', 'concurrency_limit')
    if state_of(ctx, f[1]) == 'paused' then
      in_the_way[#in_the_way + 1] = { ids[i], ids[i + 1], f[1] }
    elseif holders < tonumber(f[2]) then
      unpark(ids[i], ids[i + 1], f[1])
      in_the_way = {}
      break
    end
  end
  -- Who could run may stand behind them: they can as well wait in their own queue.
  if #ids == 2 * PARKED_LOOK then
    for _, job in ipairs(in_the_way) do
      unpark(unpack(job))
    end
  end
  if redis.call('EXISTS', parked) == 0 then
    redis.call('SREM', ctx.p .. 'parked-keys', name)
  end
end

-- A job with extras l is held no more: its place is free.
local function vacate(ctx, job)
  local name = redis.call('HGET', job.key, 'concurrency_key')
  redis.call('SREM', ctx.p .. 'holders:' .. name, job.id)
  let_in(ctx, name)
end

-- Takes a queued job with extras l out of wherever it waits.
local function leave_limit(ctx, job)
  local name = redis.call('HGET', job.key, 'concurrency_key')
  if redis.call('ZREM', ctx.p .. 'parked:' .. name, job.id) == 1 then
    count_parked(ctx, job.queue, -1)
  end
  -- It may have been the one that was let in.
  let_in(ctx, name)
end

-- A job that was let in may not run for other reasons (its queue was paused since, nobody
-- serves it): the places it does not take are offered again.
local function offer_places(ctx, limit)
  local names = redis.call('SRANDMEMBER', ctx.p .. 'parked-keys', limit)
  for _, name in ipairs(names) do
    let_in(ctx, name)
  end
end

-- A rate's bucket as it is now; nil if there is no such rate. `whose` is a client.
local function bucket_of(ctx, rate, whose)
  if ctx.unlimited[rate] then
    return nil
  end
  local text = redis.call('HGET', ctx.p .. 'rates', rate)
  if not text then
    ctx.unlimited[rate] = true
    return nil
  end
  local limits = cjson.decode(text)
  local bucket = {
    key = ctx.p .. 'bucket:' .. rate .. (whose and ':' .. whose or ''),
    per_ms = limits[1] / 1000,
    burst = limits[2],
    tokens = limits[2],
  }
  local f = redis.call('HMGET', bucket.key, 'tokens', 'at')
  local since = f[1] and ctx.now - tonumber(f[2])
  -- One from the future is full: the clock was set back, and nobody can wait for that.
  if since and since > -MOST_JITTER then
    bucket.tokens = math.min(bucket.burst, tonumber(f[1]) + math.max(0, since) * bucket.per_ms)
  end
  return bucket
end

-- In how many ms a bucket has n tokens. More than it can hold is taken when it is full, and
-- then owed: otherwise a batch larger than the burst could never come in.
local function wait_for_tokens(bucket, n)
  local missing = math.min(n, bucket.burst) - bucket.tokens
  return math.max(0, math.ceil(missing / bucket.per_ms))
end

local function take_tokens(ctx, bucket, n)
  bucket.tokens = math.min(bucket.burst, bucket.tokens - n)
  local full_in = math.ceil((bucket.burst - bucket.tokens) / bucket.per_ms)
  if full_in <= 0 then
    redis.call('DEL', bucket.key)
    return
  end
  redis.call('HSET', bucket.key, 'tokens', bucket.tokens, 'at', ctx.now)
  redis.call('PEXPIRE', bucket.key, full_in)
end

-- How many of n jobs of a queue may start now, and (if not all that wait) in how many ms the
-- next may. The caller says with `started` how many did.
local function grant(ctx, queue, n)
  local bucket = bucket_of(ctx, 'start:' .. queue)
  if not bucket then
    return n, nil
  end
  local free = math.floor(bucket.tokens)
  if n <= free then
    return n, nil
  end
  return math.max(0, free), wait_for_tokens(bucket, 1)
end

local function started(ctx, queue, n)
  local bucket = n > 0 and bucket_of(ctx, 'start:' .. queue)
  if bucket then
    take_tokens(ctx, bucket, n)
  end
end

-- In how many ms the first queue that has jobs and waits for its rate may start one; nil if
-- none waits.
local function next_start(ctx)
  local soonest
  for _, rate in ipairs(redis.call('HKEYS', ctx.p .. 'rates')) do
    local queue = string.match(rate, '^start:(.*)$')
    if queue and redis.call('EXISTS', ctx.p .. 'queue:' .. queue) == 1
      and state_of(ctx, queue) ~= 'paused' then
      local wait = wait_for_tokens(bucket_of(ctx, rate), 1)
      if wait > 0 and (not soonest or wait < soonest) then
        soonest = wait
      end
    end
  end
  return soonest
end

-- Whether so many jobs per queue may come in from this client: nil, or in how many ms. A
-- client without a name is trusted. They are all counted or none.
local function admit_submits(ctx, client, counts)
  local asked, longest, total = {}, 0, 0
  local function ask(bucket, n)
    if bucket then
      asked[#asked + 1] = { bucket, n }
      longest = math.max(longest, wait_for_tokens(bucket, n))
    end
  end
  for queue, n in pairs(counts) do
    ask(bucket_of(ctx, 'submit:' .. queue), n)
    total = total + n
  end
  if client ~= '' and total > 0 then
    ask(bucket_of(ctx, 'client', client), total)
  end
  if longest > 0 then
    return longest
  end
  for _, bucket in ipairs(asked) do
    take_tokens(ctx, bucket[1], bucket[2])
  end
  return nil
end

-- rates as JSON {queue: {start: [per second, burst], submit: …}}, client rate as JSON or ''
local function set_rates(ctx, rates, client)
  redis.call('DEL', ctx.p .. 'rates')
  ctx.unlimited = {}
  for queue, of in pairs(cjson.decode(rates)) do
    for kind, limits in pairs(of) do
      redis.call('HSET', ctx.p .. 'rates', kind .. ':' .. queue, cjson.encode(limits))
    end
    ctx.queues[queue] = true
  end
  if client ~= '' then
    redis.call('HSET', ctx.p .. 'rates', 'client', client)
  end
end
