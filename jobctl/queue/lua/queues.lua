-- Queues that are open, paused or draining.

local function state_of(ctx, queue)
  return 'open'
end

-- Whether a worker that wakes for this queue would get something now.
local function wakes(ctx, queue)
  return true
end
