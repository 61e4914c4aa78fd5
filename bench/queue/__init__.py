"""`./script/bench queue`: throughput, enqueueing, command jobs, memory and backlog, with rivals."""
