-- Jobs that wait for others, and arrays: who waits for whom, and how arrays stand. What
-- an end means for those that wait is carried out by cascades.lua.
--
-- Keys:
--   children:<id>   zset  ids of jobs that wait for this job or array, until it is over
--   followups       list  "<id> <status>": over, and its children are to be told;
--                         "<id>:<number> <status>" if it has opened again meanwhile
--   children:<id>:<number>  zset  those that are to be told of an end before it did
--   array:<id>      hash  size, max_fails; succeeded, failed, cancelled (how many); over;
--                         gone_<status> (how many of these were deleted); restoring (it
--                         cannot be over: more of its jobs are on their way; see restore.lua);
--                         doomed (why its jobs are cancelled), doomed_at (how far that is)
--   members:<id>    zset  ids of its jobs
--   arrays          zset  all arrays by when they were opened (ms)
--   doomed          set   arrays whose jobs are being cancelled

-- What a submit says of each job: id, queue, marks (see submission.py), number of fields;
-- then names and values of the fields.
local HEAD = 4

local ARRAY = {
  'size', 'succeeded', 'failed', 'cancelled', 'max_fails', 'over', 'doomed', 'restoring',
  'gone_succeeded', 'gone_failed', 'gone_cancelled',
}

-- Whether a job uses one of the rare features (see submission.py for the letters).
local function has(job, letter)
  return string.find(job.extras, letter, 1, true) ~= nil
end

-- An array's record; nil if there is none.
local function find_array(ctx, id)
  local key = ctx.p .. 'array:' .. id
  local f = redis.call('HMGET', key, unpack(ARRAY))
  if not f[1] then
    return nil
  end
  return {
    id = id,
    key = key,
    size = tonumber(f[1]),
    succeeded = tonumber(f[2]) or 0,
    failed = tonumber(f[3]) or 0,
    cancelled = tonumber(f[4]) or 0,
    max_fails = tonumber(f[5]),
    over = f[6] == '1',
    doomed = f[7],
    restoring = f[8],
    gone = (tonumber(f[9]) or 0) + (tonumber(f[10]) or 0) + (tonumber(f[11]) or 0),
  }
end

-- How an array that is over ended, in the words of a job: it succeeded if all its jobs were
-- let run and no more than max_fails of them did not succeed.
local function array_end(array)
  if not array.doomed and array.failed + array.cancelled <= (array.max_fails or 0) then
    return 'succeeded'
  end
  return array.failed > 0 and 'failed' or 'cancelled'
end

local function open_array(ctx, id, size, max_fails)
  local key = ctx.p .. 'array:' .. id
  if redis.call('HSETNX', key, 'size', size) == 1 then
    if max_fails then
      redis.call('HSET', key, 'max_fails', max_fails)
    end
    redis.call('ZADD', ctx.p .. 'arrays', ctx.now, id)
  end
end

-- The status of a job or array that is over, 'open' for one that is not, nil for none.
-- One call often names the same parent many times.
local function parent_state(ctx, id)
  local state = ctx.parents[id]
  if state then
    return state
  end
  local status = redis.call('HGET', ctx.p .. 'job:' .. id, 'status')
  if status then
    state = TERMINAL[status] and status or 'open'
  else
    local array = find_array(ctx, id)
    state = array and (array.over and array_end(array) or 'open')
  end
  ctx.parents[id] = state
  return state
end

-- Writes down that a job waits for another; 1 unless that was known.
local function wait_for(ctx, id, parent)
  local job = find(ctx, parent)
  -- The end of a job looks for children only if it is marked; that of an array always does.
  if job and not has(job, 'c') then
    job.extras = job.extras .. 'c'
    redis.call('HSET', job.key, 'extras', job.extras)
    if HELD[job.status] then
      note_held(ctx, job)
    end
  end
  return redis.call('ZADD', ctx.p .. 'children:' .. parent, 0, id)
end

local function lost_parent(parent, status)
  return 'its parent ' .. parent .. (status == 'failed' and ' failed' or ' was cancelled')
end

-- Whether what a submit names is there: parents must exist or come earlier, arrays must be
-- known or say their size. Nil, or an error reply.
--
-- Cycles cannot be made: who waits is new, and nobody can wait for it yet. Arrays are the
-- exception, for they grow: once somebody waits for one, no job that waits itself may join.
local function refuse_links(ctx, args, first)
  local there, awaited = {}, {}
  local function exists(id)
    there[id] = there[id] or redis.call('EXISTS', ctx.p .. 'job:' .. id) == 1
      or redis.call('EXISTS', ctx.p .. 'array:' .. id) == 1
    return there[id]
  end
  local i = first
  while i <= #args do
    local last, f = i + HEAD - 1 + 2 * args[i + 3], {}
    if string.find(args[i + 2], '[aw]') and not exists(args[i]) then
      for j = i + HEAD, last, 2 do
        f[args[j]] = args[j + 1]
      end
    end
    if f.key and redis.call('EXISTS', ctx.p .. 'key:' .. f.key) == 1 then
      f = {} -- it is there already, by its key
    end
    if f.array then
      there[f.array] = there[f.array] or f.array_size
      if not exists(f.array) then
        return redis.error_reply('UNKNOWNJOB ' .. f.array)
      end
    end
    local after = f.after and cjson.decode(f.after) or {}
    for _, parent in ipairs(after) do
      if not exists(parent) then
        return redis.error_reply('UNKNOWNJOB ' .. parent)
      end
      awaited[parent] = true
    end
    if f.array and f.after and (awaited[f.array]
      or redis.call('EXISTS', ctx.p .. 'children:' .. f.array) == 1) then
      return redis.error_reply('CYCLE ' .. args[i] .. ' ' .. f.array)
    end
    there[args[i]] = true
    i = last + 1
  end
  return nil
end

-- A new job becomes one of its array's. Nil, or the reason why it will not run.
local function join_array(ctx, job, f)
  if f.array_size then
    open_array(ctx, f.array, f.array_size, f.array_max_fails)
  end
  redis.call('ZADD', ctx.p .. 'members:' .. f.array, 0, job.id)
  return redis.call('HGET', ctx.p .. 'array:' .. f.array, 'doomed') or nil
end

-- A job of this submit is not made, because an older one has its key; that one is meant
-- where later jobs of the submit name it as a parent.
local function call_alias(ctx, id, older)
  ctx.aliases = ctx.aliases or {}
  ctx.aliases[id] = older
end

-- The parents in a JSON list, and the list again if it is another now.
local function resolve(ctx, list)
  local after, changed = cjson.decode(list), false
  for i, parent in ipairs(ctx.aliases and after or {}) do
    if ctx.aliases[parent] then
      after[i] = ctx.aliases[parent]
      changed = true
    end
  end
  return after, changed and cjson.encode(after)
end

-- Ties a job that is being submitted to its parents, which exist. Returns how many of them
-- are not over, and the reason if it cannot run any more.
local function attach(ctx, job, after, policy)
  if policy ~= 'finished' then
    for _, parent in ipairs(after) do
      local state = parent_state(ctx, parent)
      if state ~= 'open' and state ~= 'succeeded' then
        return 0, lost_parent(parent, state)
      end
    end
  end
  local open = 0
  for _, parent in ipairs(after) do
    if parent_state(ctx, parent) == 'open' then
      open = open + wait_for(ctx, job.id, parent)
    end
  end
  return open
end

local function follow_later(ctx, id, status)
  redis.call('RPUSH', ctx.p .. 'followups', id .. ' ' .. status)
  ctx.cascades = true
end

-- What was over opens again. Those still to be told of that end are told of it, and not of the
-- next; whoever comes from now on waits for the next.
local function set_apart(ctx, id)
  local children = ctx.p .. 'children:' .. id
  if redis.call('EXISTS', children) == 0 then
    return
  end
  local apart = id .. ':' .. redis.call('HINCRBY', ctx.p .. 'meta', 'apart', 1)
  redis.call('RENAME', children, ctx.p .. 'children:' .. apart)
  for status in pairs(TERMINAL) do
    if redis.call('LREM', ctx.p .. 'followups', 1, id .. ' ' .. status) == 1 then
      redis.call('RPUSH', ctx.p .. 'followups', apart .. ' ' .. status)
    end
  end
end

-- Lets an array's jobs be cancelled, in bounded batches.
local function doom(ctx, array, why)
  if not array.doomed then
    array.doomed = why
    redis.call('HSET', array.key, 'doomed', why)
    redis.call('SADD', ctx.p .. 'doomed', array.id)
    ctx.cascades = true
  end
end

-- What follows from how many of an array's jobs have ended. Returns whether more must.
local function weigh(ctx, array)
  if array.restoring then
    return true
  end
  local size = array.size
  local ended = array.succeeded + array.failed + array.cancelled
  if array.doomed or ended >= size then
    -- Of an array that was cancelled while it was submitted no more may come.
    local submitted = redis.call('ZCARD', ctx.p .. 'members:' .. array.id) + array.gone
    size = array.doomed and submitted or math.max(size, submitted)
  end
  if ended >= size and not array.over then
    redis.call('HSET', array.key, 'over', 1)
    ctx.parents[array.id] = nil
    if redis.call('EXISTS', ctx.p .. 'children:' .. array.id) == 1 then
      follow_later(ctx, array.id, array_end(array))
    end
  elseif ended < size and array.over then
    redis.call('HDEL', array.key, 'over')
    set_apart(ctx, array.id)
  end
  return ended < size
end

-- Counts a job of an array that came to (by = 1) or left (by = -1) an end.
local function count_member(ctx, job, status, by)
  local array = find_array(ctx, redis.call('HGET', job.key, 'array'))
  -- Jobs of an older schema have the word, but no array.
  if array then
    array[status] = redis.call('HINCRBY', array.key, status, by)
    local more = weigh(ctx, array)
    local judged = array.restoring ~= 'over'
    if more and judged and by > 0 and array.max_fails and array.failed > array.max_fails then
      doom(ctx, array, 'more than ' .. array.max_fails .. ' of its array failed')
    end
  end
end

-- A job with extras a (of an array) or c (others wait for it) has ended.
local function concluded(ctx, job)
  ctx.parents[job.id] = nil
  if has(job, 'a') then
    count_member(ctx, job, job.status, 1)
  end
  if has(job, 'c') and redis.call('EXISTS', ctx.p .. 'children:' .. job.id) == 1 then
    follow_later(ctx, job.id, job.status)
  end
end
