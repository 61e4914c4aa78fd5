-- Everything that is worth keeping, page by page. Indexes are not: restore.lua makes them anew.

-- A page looks at so many keys, and takes no more jobs once they weigh so many bytes: its
-- reader has to hold it.
local BACKUP_PAGE, BACKUP_BYTES = 200, 4 * 1024 * 1024

-- Where in its queue (or among those parked for its key) a queued job stands.
local function place_of(ctx, f)
  return redis.call('ZSCORE', ctx.p .. 'queue:' .. f.queue, f.id)
    or f.concurrency_key
      and redis.call('ZSCORE', ctx.p .. 'parked:' .. f.concurrency_key, f.id) or nil
end

local function fields_of(key)
  local flat, f = redis.call('HGETALL', key), {}
  for i = 1, #flat, 2 do
    f[flat[i]] = flat[i + 1]
  end
  return f
end

local function backup_queues(ctx, records)
  for queue, state in pairs(fields_of(ctx.p .. 'queues-state')) do
    records[#records + 1] = { kind = 'queue', name = queue, state = state }
  end
  for name, at in pairs(fields_of(ctx.p .. 'schedules')) do
    records[#records + 1] = { kind = 'schedule', name = name, at = at }
  end
end

local function backup_arrays(ctx, cursor, records)
  local page = redis.call('ZSCAN', ctx.p .. 'arrays', cursor, 'COUNT', BACKUP_PAGE)
  for i = 1, #page[2], 2 do
    local id = page[2][i]
    local f = fields_of(ctx.p .. 'array:' .. id)
    f.dooming = redis.call('SISMEMBER', ctx.p .. 'doomed', id) == 1 and '1' or nil
    records[#records + 1] = { kind = 'array', name = id, fields = f }
  end
  return page[1] == '0' and 'job:0' or 'array:' .. page[1]
end

local function backup_job(ctx, key)
  local f = fields_of(key)
  local claim = unwritten_claim(ctx, f.id, f.status, f.attempt, f.extras, f.queue)
  if claim then
    f.status = 'claimed'
    for i = 1, #claim, 2 do
      f[claim[i]] = claim[i + 1]
    end
  end
  return cjson.encode({
    kind = 'job', fields = f, place = f.status == 'queued' and place_of(ctx, f) or nil,
  })
end

-- A job that is there all the time is met once or twice, in no order: what moves from index
-- to index while the backup goes on could be missed there, but not here. A page can end at
-- any step of the SCAN but not within one, for what a step gives may change before the next
-- call; so the steps are as short as can be.
local function backup_jobs(ctx, cursor, records)
  local bytes = 0
  for _ = 1, BACKUP_PAGE do
    local step = redis.call('SCAN', cursor, 'MATCH', ctx.jobs .. '*', 'COUNT', 1)
    for _, key in ipairs(step[2]) do
      records[#records + 1] = backup_job(ctx, key)
      bytes = bytes + #records[#records]
    end
    cursor = step[1]
    if cursor == '0' or bytes >= BACKUP_BYTES then
      break
    end
  end
  return cursor == '0' and '0' or 'job:' .. cursor
end

-- cursor. Returns the next, '0' at the end, and records as JSON.
define('backup_page', READS, function(ctx, args)
  local kind, cursor = string.match(args[1], '^(%a+):(%d+)$')
  local records, following = {}, nil
  if kind == 'job' then
    following = backup_jobs(ctx, cursor, records)
    return { following, records }
  end
  if not kind then
    backup_queues(ctx, records)
  end
  following = backup_arrays(ctx, cursor or '0', records)
  for i, record in ipairs(records) do
    records[i] = cjson.encode(record)
  end
  return { following, records }
end)
