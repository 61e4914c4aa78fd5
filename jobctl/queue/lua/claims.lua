-- Which jobs a worker gets.

-- The most jobs one claim parks on its way to those it hands out.
local MAX_PARKS = 256
-- A claim that weighs so many bytes takes no further job: whoever asks for hundreds does not
-- know how big they are, and has to hold them.
local MAX_BYTES = 1024 * 1024

-- Claims a function that was never tried and uses nothing special; adds to `jobs` no more
-- than its worker needs. Those that follow each other and are of one function share a row:
-- '', the queue, the function, then id and arguments of each.
local function claim_plain(ctx, id, queue, name, given, by, jobs, entries)
  local row = by.row
  if not row or row[3] ~= name or row[2] ~= queue then
    row = { '', queue, name }
    by.row = row
    jobs[#jobs + 1] = row
  end
  local n = #row
  row[n + 1], row[n + 2] = id, given
  by.bytes = by.bytes + #given
  n = #entries
  entries[n + 1], entries[n + 2] = id, by.unwritten
  if ctx.first[id] then
    -- It came in with this very call.
    local job = by.plain
    job.id, job.key, job.status, job.attempt = id, ctx.jobs .. id, 'queued', '1'
    move(ctx, job, 'claimed')
  else
    ctx.first[id] = 'queued'
    by.crowd[#by.crowd + 1] = id
  end
end

-- Claims the first job of a queue, or another that all before it have been taken from; adds
-- what it was to `jobs`, and to `entries` what its worker then holds. False for one that had
-- to be parked, nil for one that this claim cannot take.
local function claim_one(ctx, id, queue, by, jobs, entries)
  local key = ctx.jobs .. id
  local f = redis.call('HMGET', key, 'function', 'args', 'extras', 'attempt', 'options')
  if f[1] and not (f[3] or f[4] or f[5]) then
    claim_plain(ctx, id, queue, f[1], f[2] or '', by, jobs, entries)
    return true
  end
  local job = find(ctx, id)
  local suspect = job.crashes + job.losses > 0
  -- It may be why its worker was lost: nothing shall come along with it, wait beside it and share
  -- the blame. With whom it is next is chance, so nobody shares it for ever.
  if suspect and (#entries > 0 or by.room == 0) then
    return nil
  end
  if has(job, 'l') then
    local place = redis.call('ZSCORE', ctx.p .. 'queue:' .. job.queue, id)
    if not admit(ctx, job, place) then
      return false
    end
  end
  by.alone = suspect
  by.row = nil
  jobs[#jobs + 1] = redis.call('HGETALL', key)
  for _, word in ipairs(jobs[#jobs]) do
    by.bytes = by.bytes + #word
  end
  if job.attempt > 0 then
    -- What the last attempt left; the checkpoint stays, that is what it is for.
    redis.call('HDEL', key, 'step', 'progress', 'cause', 'exit_code', 'signal', 'reason')
  end
  job.attempt = job.attempt + 1
  job.worker = by.name
  by.fields[2] = job.attempt
  set_status(ctx, job, 'claimed', by.fields)
  entries[#entries + 1] = id
  entries[#entries + 1] = held_note(job)
  return true
end

-- Claims up to n jobs of one queue. Returns in how many ms it may give more, if its rate
-- holds jobs back.
local function claim_from(ctx, queue, n, by, jobs, entries)
  local key = ctx.p .. 'queue:' .. queue
  local granted = grant(ctx, queue, n)
  local got, looks = 0, granted + MAX_PARKS
  while got < granted and looks > 0 do
    local wanted = math.min(granted - got, looks)
    -- ZPOPMIN would write every place as text: that costs more than a second command.
    local ids = redis.call('ZRANGE', key, 0, wanted - 1)
    local seen = 0
    for _, id in ipairs(ids) do
      if by.bytes >= MAX_BYTES or by.alone then
        break
      end
      local claimed = claim_one(ctx, id, queue, by, jobs, entries)
      if claimed == nil then
        break
      end
      seen = seen + 1
      if claimed then
        got = got + 1
      end
    end
    if seen > 0 then
      redis.call('ZREMRANGEBYRANK', key, 0, seen - 1)
    end
    looks = looks - wanted
    if seen < wanted then
      break
    end
  end
  started(ctx, queue, got)
  if granted < n and redis.call('EXISTS', key) == 1 then
    local more, wait = grant(ctx, queue, 1)
    return more == 0 and wait or nil
  end
end

-- How many jobs a worker gets: what it can run now, and of those it would only keep in
-- store no more than its share of what waits.
local function fair_share(ctx, room, prefetch, queues)
  if prefetch > 0 then
    local waiting = 0
    for _, queue in ipairs(queues) do
      if state_of(ctx, queue) ~= 'paused' then
        waiting = waiting + redis.call('ZCARD', ctx.p .. 'queue:' .. queue)
      end
    end
    local share = math.ceil(waiting / redis.call('HLEN', ctx.p .. 'workers'))
    room = math.min(room + prefetch, math.max(room, share))
  end
  return math.min(room, MAX_CLAIM)
end

-- The worker that calls, as what it claims will name it; nil if it is not registered.
local function caller(ctx, incarnation)
  local worker = redis.call('HMGET', ctx.p .. 'worker:' .. incarnation,
    'name', 'draining', 'room', 'waits_for', 'heartbeat_at')
  return worker[1] and {
    incarnation = incarnation,
    name = worker[1],
    draining = worker[2], -- '1', or 'trial': then it gets nothing but its canary
    room = tonumber(worker[3]),
    waits_for = worker[4], -- nil unless jobs are handed to it as they come
    heartbeat_at = worker[5],
    bytes = 0, -- what its claim weighs
    got = 0, -- how many jobs that are
    in_rows = false, -- whether it reads plain jobs that share a row
    alone = false, -- whether that is one job that a worker was lost with
    fields = {
      'attempt', '1', 'worker', worker[1], 'incarnation', incarnation, 'claimed_at', ctx.at,
    },
    ended = { 'finished_at', ctx.at, '', '', '', '', '', '', '', '', '', '' },
    unwritten = '1c' .. ctx.at,
    -- One table for all plain jobs of the call, one after the other.
    plain = { worker = worker[1], incarnation = incarnation, name = '', extras = '' },
    crowd = {}, -- the plain jobs that it claims
    row = nil, -- and the last of their rows
  }
end

-- A row for each job: of the plain ones id, queue, function and arguments.
local function one_by_one(rows)
  local jobs = {}
  for _, row in ipairs(rows) do
    if row[1] ~= '' then
      jobs[#jobs + 1] = row
    else
      for i = 4, #row, 2 do
        jobs[#jobs + 1] = { row[i], row[2], row[3], row[i + 1] }
      end
    end
  end
  return jobs
end

-- Claims up to n jobs for a worker from queues in the order given. Returns rows of them, as they
-- were before, and in how many ms there may be more: `wait`, or sooner.
local function take(ctx, by, n, queues, wait)
  local rows, entries = {}, {}
  for _, queue in ipairs(queues) do
    local left = n - #entries / 2
    local barred = by.draining and queue ~= OWN .. by.name
    if left > 0 and not barred and state_of(ctx, queue) ~= 'paused' then
      local rate_wait = claim_from(ctx, queue, left, by, rows, entries)
      if rate_wait and (not wait or rate_wait < wait) then
        wait = rate_wait
      end
    end
  end
  by.got = #entries / 2
  move_all(ctx, by.crowd, 'queued', 'claimed', by.name)
  by.crowd, by.row = {}, nil
  hold(ctx, by.incarnation, entries)
  return by.in_rows and rows or one_by_one(rows), wait
end

-- A worker that waits has claimed by itself: it has room for fewer now, or for more.
local function wait_on(ctx, by, room)
  if room > 0 and not by.draining then
    redis.call('HSET', ctx.p .. 'worker:' .. by.incarnation, 'room', room)
  else
    stop_waiting(ctx, by.incarnation, by.waits_for)
  end
end

-- From args[at] on: room, prefetch, the number of queues, their names. Returns in how many ms
-- there may be more ('' if unknown), and the jobs.
local function claim(ctx, by, args, at)
  local room, prefetch = tonumber(args[at]), tonumber(args[at + 1])
  local queues = {}
  for i = at + 3, at + 2 + tonumber(args[at + 2]) do
    queues[#queues + 1] = args[i]
    -- Whatever is claimed: the caller may have used up a token to come here.
    ctx.queues[args[i]] = true
  end
  if not by then
    return { '', {} }
  end
  extend(ctx, by.incarnation)
  by.room = room
  local jobs, wait = {}, tend(ctx, room + prefetch)
  write_places(ctx)
  if by.draining ~= '1' and room + prefetch > 0 then
    jobs, wait = take(ctx, by, fair_share(ctx, room, prefetch, queues), queues, wait)
  end
  if by.waits_for then
    wait_on(ctx, by, room - by.got)
  end
  return { wait or '', jobs }
end

-- incarnation, room, prefetch, number of queues, the queues
define('claim', SHRINKS, function(ctx, args)
  local by = caller(ctx, args[1])
  local claimed = claim(ctx, by, args, 2)
  return by and claimed or redis.error_reply('UNKNOWNWORKER ' .. args[1])
end)
