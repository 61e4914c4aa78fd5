"""Benchmarks: jobctl side by side with its rivals, in one run. `./script/bench NAME` runs one."""
