"""`./script/bench latency`: from the producer's call to the job's first line, workers idle."""
