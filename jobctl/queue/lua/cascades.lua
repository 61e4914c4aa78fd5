-- What the end of a job or array means for others: children run or are cancelled, the rest
-- of an array is cancelled. Bounded: a call does a first batch, ticks do the rest.

local CASCADE_BATCH = 100

-- Tells a child that one of its parents is over. It may have been cancelled meanwhile, or
-- even be another job with the same id.
local function tell_child(ctx, id, parent, status)
  local job = find(ctx, id)
  if not job or job.status ~= 'blocked' then
    return
  end
  local f = redis.call('HMGET', job.key, 'after', 'after_policy', 'due_at')
  if not string.find(f[1], parent, 1, true) then
    return
  end
  if status ~= 'succeeded' and f[2] ~= 'finished' then
    revoke(ctx, job, lost_parent(parent, status))
  elseif redis.call('HINCRBY', job.key, 'blockers', -1) <= 0 then
    redis.call('HDEL', job.key, 'blockers')
    queue_at(ctx, job, tonumber(f[3]), {})
  end
end

-- Tells at most `limit` children of what is over; returns how many.
local function follow(ctx, limit)
  local told = 0
  while told < limit do
    local entry = redis.call('LINDEX', ctx.p .. 'followups', 0)
    if not entry then
      break
    end
    local key, parent, status = string.match(entry, '^((%w+)%S*) (%S+)$')
    local children = ctx.p .. 'children:' .. key
    local ids = redis.call('ZPOPMIN', children, limit - told)
    for i = 1, #ids, 2 do
      tell_child(ctx, ids[i], parent, status)
    end
    told = told + #ids / 2
    if redis.call('EXISTS', children) == 0 then
      redis.call('LPOP', ctx.p .. 'followups')
    end
  end
  return told
end

-- Cancels at most about `limit` jobs of arrays that are doomed; returns how many it looked at.
local function carry_out_dooms(ctx, limit)
  local seen = 0
  while seen < limit do
    local id = redis.call('SRANDMEMBER', ctx.p .. 'doomed')
    if not id then
      break
    end
    local key = ctx.p .. 'array:' .. id
    local f = redis.call('HMGET', key, 'doomed', 'doomed_at')
    local members = redis.call('ZRANGEBYLEX', ctx.p .. 'members:' .. id,
      f[2] and '(' .. f[2] or '-', '+', 'LIMIT', 0, limit - seen)
    for _, member in ipairs(members) do
      local job = find(ctx, member)
      if not TERMINAL[job.status] then
        revoke(ctx, job, f[1])
      end
    end
    if #members < limit - seen then
      redis.call('SREM', ctx.p .. 'doomed', id)
      redis.call('HDEL', key, 'doomed_at')
      -- It may have been doomed when nothing of it was left to end.
      weigh(ctx, find_array(ctx, id))
    else
      redis.call('HSET', key, 'doomed_at', members[#members])
    end
    seen = seen + #members
  end
  return seen
end

-- Runs at the end of a call that began something, so that most cascades are over with it.
function cascade(ctx)
  carry_out_dooms(ctx, CASCADE_BATCH)
  follow(ctx, CASCADE_BATCH)
end
