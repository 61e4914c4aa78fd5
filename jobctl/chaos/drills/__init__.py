"""Drills: a workload, faults, and a verdict on what became of the jobs."""
