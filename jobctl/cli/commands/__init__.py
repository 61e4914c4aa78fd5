"""The commands, by the module that has them: a module is loaded when a command of it is asked for.

The order is that of `jobctl --help`.
"""

HOMES = {
    "up": "cluster",
    "down": "cluster",
    "ps": "cluster",
    "scale": "cluster",
    "submit": "submit",
    "jobs": "jobs",
    "dead": "jobs",
    "job": "jobs",
    "wait": "outcome",
    "result": "outcome",
    "explain": "outcome",
    "cancel": "changes",
    "retry": "changes",
    "logs": "logs",
    "artifacts": "artifacts",
    "backup": "backup",
    "restore": "backup",
    "init": "config",
    "doctor": "doctor",
    "queue": "queues",
    "schedule": "queues",
    "autoscale": "autoscale",
    "incidents": "incidents",
    "incident": "incidents",
    "chaos": "chaos",
    "config": "config",
    "controller": "controller",
}
