-- How many at once, and how many a second.

-- Whether a job with extras l may be claimed now; if not it is parked.
local function admit(ctx, job)
  return true
end

-- A job with extras l is held no more: its place is free.
local function vacate(ctx, job)
end

-- How many of n jobs of a queue may start now, and else in how many ms the next may.
local function grant(ctx, queue, n)
  return n, nil
end

-- Whether so many jobs per queue may come in from this client: nil, or in how many ms.
local function admit_submits(ctx, client, counts)
  return nil
end
