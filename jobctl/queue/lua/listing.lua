-- Listings, a page at a time.

-- A block: the library has room for 200 local names at once.
do
  -- A page of a listing that weighs so many bytes ends there: who reads it has to hold it.
  local PAGE_BYTES = 4 * 1024 * 1024
  -- The most jobs that one page looks at where no index tells which of them fit.
  local MOST_LOOKED_AT = 1000

  -- The newest ids below the cursor, from the indexes of some statuses: one more than a page
  -- has, to know whether there is a next one.
  local function newest(ctx, _, statuses, name, limit, cursor)
    local ids = {}
    local top = cursor ~= '' and '(' .. cursor or '+'
    for _, status in ipairs(statuses) do
      local some
      if INDEXED[status] then
        local key = 'jobs:' .. status
        if name ~= '' then
          key = 'named:' .. status .. ':' .. name
        end
        some = redis.call('ZREVRANGEBYLEX', ctx.p .. key, top, '-', 'LIMIT', 0, limit + 1)
      else
        some = {}
        for _, id in ipairs(claimed_ids(ctx)) do
          local fits = name == '' or redis.call('HGET', ctx.jobs .. id, 'name') == name
          if fits and (cursor == '' or id < cursor) then
            some[#some + 1] = id
          end
        end
      end
      for _, id in ipairs(some) do
        ids[#ids + 1] = id
      end
    end
    table.sort(ids, function(a, b) return a > b end)
    return ids, #ids > limit and ids[limit] or ''
  end

  -- The newest members of an array below the cursor that fit. The page may be short, even
  -- empty, and yet not the last: then few of its jobs fit.
  local function members(ctx, array, statuses, name, limit, cursor)
    local wanted, ids = {}, {}
    for _, status in ipairs(statuses) do
      wanted[status] = true
    end
    local top = cursor ~= '' and '(' .. cursor or '+'
    local some = redis.call('ZREVRANGEBYLEX', ctx.p .. 'members:' .. array, top, '-',
      'LIMIT', 0, MOST_LOOKED_AT)
    for i, id in ipairs(some) do
      local f = redis.call('HMGET', ctx.jobs .. id, 'status', 'name')
      if wanted[f[1]] and (name == '' or f[2] == name) then
        ids[#ids + 1] = id
        if #ids == limit then
          return ids, (i < #some or #some == MOST_LOOKED_AT) and id or ''
        end
      end
    end
    return ids, #some == MOST_LOOKED_AT and some[MOST_LOOKED_AT] or ''
  end

  -- The jobs of a page, and where the next one goes on, '' at the end.
  local function page(ctx, ids, limit, following)
    local jobs, bytes = {}, 0
    for i = 1, math.min(limit, #ids) do
      if bytes >= PAGE_BYTES then
        return { ids[i - 1], jobs }
      end
      jobs[i] = read(ctx, ids[i])
      for _, word in ipairs(jobs[i]) do
        bytes = bytes + #word
      end
    end
    return { following, jobs }
  end

  -- name or '', array or '', limit, cursor or '', statuses. Returns the next cursor or '', and
  -- the jobs. A page costs the same however many jobs there are.
  define('list', READS, function(ctx, args)
    local name, array, limit, cursor = args[1], args[2], tonumber(args[3]), args[4]
    local among = array == '' and newest or members
    local ids, following = among(ctx, array, { unpack(args, 5) }, name, limit, cursor)
    return page(ctx, ids, limit, following)
  end)

  -- cause, and what 'list' takes. There is no index by cause: the page may be short, even empty,
  -- and yet not the last.
  define('list_by_cause', READS, function(ctx, args)
    local cause, name, array = args[1], args[2], args[3]
    local limit, cursor = tonumber(args[4]), args[5]
    local among = array == '' and newest or members
    local ids, following = among(ctx, array, { unpack(args, 6) }, name, MOST_LOOKED_AT, cursor)
    local fitting, looked_at = {}, math.min(MOST_LOOKED_AT, #ids)
    for i = 1, looked_at do
      if redis.call('HGET', ctx.jobs .. ids[i], 'cause') == cause then
        fitting[#fitting + 1] = ids[i]
        if #fitting == limit then
          following = (i < looked_at or following ~= '') and ids[i] or ''
          break
        end
      end
    end
    return page(ctx, fitting, limit, following)
  end)
end
