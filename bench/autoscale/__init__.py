"""The autoscaler's decision on arrival traces, in simulated time, beside simpler rules."""
