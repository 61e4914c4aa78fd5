-- What a backup kept, back again. Indexes are made anew from the jobs.
--
-- Keys:
--   awaited   set   parents of restored jobs that are not there yet, while a restore goes on
--   restoring set   arrays of which more jobs may come, until it is over

local function restore_array(ctx, id, f)
  local key = ctx.p .. 'array:' .. id
  if redis.call('EXISTS', key) == 1 then
    return 0
  end
  open_array(ctx, id, f.size, f.max_fails)
  if f.doomed then
    redis.call('HSET', key, 'doomed', f.doomed)
  end
  if f.dooming then
    -- Later, whatever of it is not over was retried, and is meant to run.
    redis.call('HSET', key, 'dooming', 1)
    redis.call('SADD', ctx.p .. 'doomed', id)
  end
  -- Of one that is over more jobs may be deleted while the backup is made, so its own counts
  -- hold (but see recount). Otherwise those that come are counted. None is over before all have.
  redis.call('HSET', key, 'restoring', f.over and 'over' or 1)
  redis.call('SADD', ctx.p .. 'restoring', id)
  if f.over then
    redis.call('HSET', key, 'counted', 1)
  end
  for _, status in ipairs({ 'succeeded', 'failed', 'cancelled' }) do
    local gone = f['gone_' .. status] or 0
    redis.call('HSET', key, 'gone_' .. status, gone, status, f.over and f[status] or gone)
  end
  return 1
end

-- Ties a blocked job to its parents again. Those that are not there may still come. Returns
-- what attach does.
local function attach_again(ctx, job, after, policy)
  local known = {}
  for _, parent in ipairs(after) do
    if parent_state(ctx, parent) then
      known[#known + 1] = parent
    end
  end
  local open, lost = attach(ctx, job, known, policy)
  for _, parent in ipairs(lost and {} or after) do
    if not parent_state(ctx, parent) then
      redis.call('SADD', ctx.p .. 'awaited', parent)
      open = open + wait_for(ctx, job.id, parent)
    end
  end
  return open, lost
end

local function restore_ended(ctx, job, f, fields)
  set_status(ctx, job, f.status, fields, f.cause)
  if f.array and redis.call('HEXISTS', ctx.p .. 'array:' .. f.array, 'counted') == 1 then
    job.extras = string.gsub(job.extras, 'a', '')
  end
  concluded(ctx, job)
end

local function restore_queued(ctx, job, place, fields)
  set_status(ctx, job, 'queued', fields)
  if not place then
    -- A worker had it: it was to be next.
    return enqueue(ctx, job, true)
  end
  redis.call('ZADD', ctx.p .. 'queue:' .. job.queue, place, job.id)
  ctx.queues[job.queue] = true
  local number = tonumber(place) + job.priority * STRIDE
  ctx.head, ctx.tail = math.min(ctx.head, number), math.max(ctx.tail, number)
  ctx.placed = true
end

-- A job of an array that was over when the backup read it has come. One that was retried since
-- is among those counts, and not over.
local function note_member(ctx, array, job, ended)
  if not ended then
    redis.call('HINCRBY', array.key, 'opened', 1)
  end
  if TERMINAL[job.status] then
    redis.call('HINCRBY', array.key, 'came_' .. job.status, 1)
  end
end

-- Of the old cluster's workers nothing holds here.
local NOT_RESTORED = {
  status = true, extras = true, blockers = true, cancelling = true,
  worker = true, incarnation = true, claimed_at = true, started_at = true,
}

local function restore_job(ctx, f, place)
  local key = ctx.jobs .. f.id
  if redis.call('EXISTS', key) == 1 then
    return 0
  end
  local ended = TERMINAL[f.status]
  local fields = {}
  for name, value in pairs(f) do
    if ended and name ~= 'status' and name ~= 'extras' or not NOT_RESTORED[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  local job = {
    id = f.id, key = key, status = 'new', queue = f.queue, name = f.name or '', worker = '',
    attempt = tonumber(f.attempt) or 0, priority = tonumber(f.priority) or 0,
    extras = string.gsub(f.extras or '', 'c', ''),
  }
  if redis.call('SREM', ctx.p .. 'awaited', f.id) == 1 then
    job.extras = job.extras .. 'c'
  end
  if job.extras ~= '' then
    fields[#fields + 1] = 'extras'
    fields[#fields + 1] = job.extras
  end
  if f.key then
    redis.call('SETNX', ctx.p .. 'key:' .. f.key, f.id)
  end
  if f.array and f.array_size then
    open_array(ctx, f.array, f.array_size, f.array_max_fails)
  end
  local lost, open = nil, 0
  local array = f.array and find_array(ctx, f.array)
  if array then
    redis.call('ZADD', ctx.p .. 'members:' .. f.array, 0, f.id)
    -- Whoever cancels its jobs may have been here before this one came.
    lost = redis.call('HEXISTS', array.key, 'dooming') == 1 and array.doomed or nil
  end
  if f.status == 'blocked' and not lost then
    open, lost = attach_again(ctx, job, cjson.decode(f.after), f.after_policy)
  elseif f.cancelling then
    lost = 'it was being cancelled'
  end
  if ended then
    restore_ended(ctx, job, f, fields)
  elseif lost then
    fields[#fields + 1] = 'reason'
    fields[#fields + 1] = lost
    conclude(ctx, job, 'cancelled', 'cancelled', fields)
    redis.call('HDEL', key, 'due_at')
  elseif open > 0 then
    fields[#fields + 1] = 'blockers'
    fields[#fields + 1] = open
    set_status(ctx, job, 'blocked', fields)
  elseif f.status == 'scheduled' or f.status == 'blocked' then
    queue_at(ctx, job, tonumber(f.due_at), fields)
  else
    restore_queued(ctx, job, place, fields)
  end
  if array and array.restoring == 'over' then
    note_member(ctx, array, job, ended)
  end
  return 1
end

-- Takes out of such an array's counts the former ends of those that were retried. How they
-- had ended nobody wrote down: of what was counted and did not come, mostly the failed.
local function recount(ctx, id)
  local key = ctx.p .. 'array:' .. id
  local opened = tonumber(redis.call('HGET', key, 'opened')) or 0
  for _, status in ipairs({ 'failed', 'cancelled', 'succeeded' }) do
    local f = redis.call('HMGET', key, status, 'came_' .. status, 'gone_' .. status)
    local missing = (tonumber(f[1]) or 0) - (tonumber(f[2]) or 0) - (tonumber(f[3]) or 0)
    local taken = math.max(0, math.min(opened, missing))
    if taken > 0 then
      redis.call('HINCRBY', key, status, -taken)
    end
    redis.call('HDEL', key, 'came_' .. status)
    opened = opened - taken
  end
  redis.call('HDEL', key, 'opened')
end

-- All parents and jobs of arrays that are there have come: parents that did not had ended
-- well and were deleted.
local function stop_awaiting(ctx)
  for _, parent in ipairs(redis.call('SMEMBERS', ctx.p .. 'awaited')) do
    follow_later(ctx, parent, 'succeeded')
  end
  redis.call('DEL', ctx.p .. 'awaited')
  for _, id in ipairs(redis.call('SMEMBERS', ctx.p .. 'restoring')) do
    if redis.call('HGET', ctx.p .. 'array:' .. id, 'restoring') == 'over' then
      recount(ctx, id)
    end
    redis.call('HDEL', ctx.p .. 'array:' .. id, 'restoring')
    weigh(ctx, find_array(ctx, id))
  end
  redis.call('DEL', ctx.p .. 'restoring')
end

-- Records as JSON; what is there is left alone. Returns how many jobs were not.
define('restore', GROWS, function(ctx, args)
  local restored = 0
  for _, text in ipairs(args) do
    local record = cjson.decode(text)
    if record.kind == 'job' then
      restored = restored + restore_job(ctx, record.fields, record.place)
    elseif record.kind == 'array' then
      restore_array(ctx, record.name, record.fields)
    elseif record.kind == 'queue' then
      redis.call('HSETNX', ctx.p .. 'queues-state', record.name, record.state)
      ctx.queues[record.name] = true
    elseif record.kind == 'schedule' then
      redis.call('HSETNX', ctx.p .. 'schedules', record.name, record.at)
    elseif record.kind == 'end' then
      stop_awaiting(ctx)
    end
  end
  return restored
end)
