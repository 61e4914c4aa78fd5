-- Jobs that wait for others, and arrays.

-- Ties a job that is being submitted to its parents: how many of them are not over, or
-- nil and an error reply.
local function attach(ctx, job, after, policy)
  return 0
end

-- A job with extras a (of an array) or c (others wait for it) has ended.
local function concluded(ctx, job)
end
