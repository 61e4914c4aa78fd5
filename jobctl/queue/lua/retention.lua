-- Ended jobs that nothing keeps, and the folders they leave.
--
-- Keys:
--   litter           zset  ids of deleted jobs whose folders are still there, by when they
--                          may be taken (ms)
-- How far the look at ended jobs came is in meta, as pruned:<status>.

-- While workers have this many folders left to remove, no more jobs are deleted.
local MOST_LITTER = 100000
local LITTER_LEASE = 60000
-- An array that was never filled is given up after this time (ms).
local ARRAY_PATIENCE = 24 * 60 * 60 * 1000

local BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

-- When an id was minted (ms): a ULID begins with it.
local function minted_at(id)
  local ms = 0
  for i = 1, 10 do
    ms = ms * 32 + string.find(BASE32, string.sub(id, i, i), 1, true) - 1
  end
  return ms
end

-- The array of a job that may be deleted, '' for none, nil if it must stay: its children are
-- still to be told, or its array is not over.
local function deletable(ctx, id, extras, array_id)
  if string.find(extras, 'c', 1, true)
    and redis.call('EXISTS', ctx.p .. 'children:' .. id) == 1 then
    return nil
  end
  if not string.find(extras, 'a', 1, true) then
    return ''
  end
  local array = find_array(ctx, array_id)
  if array and not array.over then
    return nil
  end
  return array and array_id or ''
end

local function delete_array(ctx, id)
  redis.call('DEL', ctx.p .. 'array:' .. id, ctx.p .. 'members:' .. id)
  redis.call('ZREM', ctx.p .. 'arrays', id)
  redis.call('SREM', ctx.p .. 'doomed', id)
end

-- Deletes a job with all that is kept of it but its place in the index of its status.
local function delete_job(ctx, id, status, f, array_id)
  redis.call('DEL', ctx.jobs .. id)
  if f.name then
    redis.call('ZREM', ctx.p .. 'named:' .. status .. ':' .. f.name, id)
  end
  if f.key and redis.call('GET', ctx.p .. 'key:' .. f.key) == id then
    redis.call('DEL', ctx.p .. 'key:' .. f.key)
  end
  if array_id ~= '' then
    redis.call('ZREM', ctx.p .. 'members:' .. array_id, id)
    redis.call('HINCRBY', ctx.p .. 'array:' .. array_id, 'gone_' .. status, 1)
    if redis.call('EXISTS', ctx.p .. 'members:' .. array_id) == 0 then
      delete_array(ctx, array_id)
    end
  end
end

-- Looks at up to `limit` ended jobs, oldest id first and from where the last call stopped.
-- A job goes when it ended more than `age` ms ago or when there are more than `count`.
-- Returns how many went.
local function prune_status(ctx, status, limit, age, count)
  local index, cursor = ctx.p .. 'jobs:' .. status, 'pruned:' .. status
  local excess = count and redis.call('ZCARD', index) - count or 0
  local oldest = age and ctx.now - age or -1
  if excess <= 0 and oldest < 0 then
    return 0
  end
  local from = redis.call('HGET', ctx.p .. 'meta', cursor)
  local ids = redis.call('ZRANGEBYLEX', index, from and '(' .. from or '-', '+', 'LIMIT', 0, limit)
  local gone, kept = {}, nil
  local at_end = #ids < limit
  for _, id in ipairs(ids) do
    -- What was submitted later ended later still. (Only an id minted by a wrong clock lies.)
    if excess <= 0 and minted_at(id) > oldest then
      at_end = true
      break
    end
    local f = redis.call('HMGET', ctx.jobs .. id, 'finished_at', 'extras', 'array', 'name', 'key')
    local goes = excess > 0 or (tonumber(f[1]) or 0) <= oldest
    local array_id = goes and deletable(ctx, id, f[2] or '', f[3])
    if array_id then
      delete_job(ctx, id, status, { name = f[4], key = f[5] }, array_id)
      gone[#gone + 1] = id
      excess = excess - 1
    else
      kept = id
    end
  end
  if at_end then
    redis.call('HDEL', ctx.p .. 'meta', cursor)
  elseif kept then
    redis.call('HSET', ctx.p .. 'meta', cursor, ids[#ids])
  end
  in_chunks('ZREM', index, gone)
  local litter = {}
  for _, id in ipairs(gone) do
    litter[#litter + 1] = 0
    litter[#litter + 1] = id
  end
  in_chunks('ZADD', ctx.p .. 'litter', litter)
  return #gone
end

-- Arrays that were opened long ago and never filled: if what there is of one has ended, no
-- more is waited for.
local function close_stale_arrays(ctx, limit)
  local ids = redis.call('ZRANGEBYSCORE', ctx.p .. 'arrays', '-inf', ctx.now - ARRAY_PATIENCE,
    'LIMIT', 0, limit)
  for _, id in ipairs(ids) do
    local array = find_array(ctx, id)
    local members = redis.call('ZCARD', ctx.p .. 'members:' .. id)
    if not array.over and members == array.succeeded + array.failed + array.cancelled then
      doom(ctx, array, 'its array was never filled')
      weigh(ctx, array)
    end
    if members == 0 then
      delete_array(ctx, id)
    else
      redis.call('ZADD', ctx.p .. 'arrays', ctx.at, id)
    end
  end
end

-- limit, then status, age in ms or '' and count or '' for each
define('prune', SHRINKS, function(ctx, args)
  local left = tonumber(args[1])
  close_stale_arrays(ctx, left)
  left = math.min(left, MOST_LITTER - redis.call('ZCARD', ctx.p .. 'litter'))
  local pruned = 0
  for i = 2, #args, 3 do
    if left - pruned > 0 then
      pruned = pruned + prune_status(ctx, args[i], left - pruned, tonumber(args[i + 1]),
        tonumber(args[i + 2]))
    end
  end
  return pruned
end)

-- n. The folders of these are the caller's to remove; after a minute another may try.
define('take_litter', SHRINKS, function(ctx, args)
  local ids = redis.call('ZRANGEBYSCORE', ctx.p .. 'litter', '-inf', ctx.now, 'LIMIT', 0, args[1])
  local entries = {}
  for _, id in ipairs(ids) do
    entries[#entries + 1] = string.format('%.0f', ctx.now + LITTER_LEASE)
    entries[#entries + 1] = id
  end
  in_chunks('ZADD', ctx.p .. 'litter', entries)
  return ids
end)

-- ids
define('drop_litter', SHRINKS, function(ctx, args)
  in_chunks('ZREM', ctx.p .. 'litter', args)
  return 1
end)
