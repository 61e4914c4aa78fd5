-- What producers do with a job.

-- client, then per job: id, queue, marks, number of fields, the fields.
define('submit', GROWS, function(ctx, args)
  local created = {}
  local i = 2
  while i <= #args do
    local id, queue, marks, count = args[i], args[i + 1], args[i + 2], tonumber(args[i + 3])
    local key = ctx.p .. 'job:' .. id
    if redis.call('EXISTS', key) == 1 then
      created[#created + 1] = 0
    else
      local fields = { 'id', id, 'queue', queue, 'submitted_at', ctx.now }
      local given = {}
      for j = i + 4, i + 3 + 2 * count, 2 do
        fields[#fields + 1] = args[j]
        fields[#fields + 1] = args[j + 1]
        given[args[j]] = args[j + 1]
      end
      local job = {
        id = id, key = key, status = 'new', queue = queue, name = given.name or '', worker = '',
        attempt = 0, priority = tonumber(given.priority) or 0, extras = given.extras or '',
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
