"""`./script/bench recovery`: from the kill of a worker to the second start of what ran on it."""
