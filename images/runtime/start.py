"""Starts the worker by jobctl's own Python, whatever the image around it has set or installed."""

import runpy
import sys

# What the worker starts by Python itself (launchers), it starts the same way.
sys.executable = "/opt/jobctl/runtime/python3"
sys.path[:0] = ["/opt/jobctl", "/opt/jobctl/site"]
runpy.run_module("jobctl.worker", run_name="__main__", alter_sys=True)
