-- Data of schema 1 becomes data of this schema, in one call.
--
-- There, every held job had a lease of its own in `leases`, held:<incarnation> was a set, and
-- jobs:claimed listed the claimed. A job's hash means the same in both.

local OLDER = { ['1'] = true, ['' .. SCHEMA] = true }

-- Returns how many jobs were in flight. Their workers are of the older schema and can do
-- nothing more: the jobs come back when their names are registered anew, or when the one
-- full lease that each gets from now has ended.
define('migrate', SHRINKS, function(ctx)
  if ctx.schema ~= '1' then
    return 0
  end
  local leases = ctx.p .. 'leases'
  local ids = redis.call('ZRANGE', leases, 0, -1)
  redis.call('DEL', leases, ctx.p .. 'jobs:claimed')
  local jobs = {}
  for _, id in ipairs(ids) do
    local job = find(ctx, id)
    redis.call('DEL', ctx.p .. 'held:' .. job.incarnation)
    jobs[#jobs + 1] = job
  end
  for _, job in ipairs(jobs) do
    note_held(ctx, job)
    extend(ctx, job.incarnation)
  end
  redis.call('HSET', ctx.p .. 'meta', 'schema', SCHEMA)
  return #ids
end, OLDER)
