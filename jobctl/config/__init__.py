"""cluster.yaml: its models, loading with errors that name the line, and what is generated from it.

Names are imported on first use: ``jobctl --help`` needs neither pydantic nor YAML.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from jobctl.config.errors import ConfigError, Problem, TemplateError

if TYPE_CHECKING:
    from jobctl.config.idle import idle_settings
    from jobctl.config.jobs import JobFields, job_spec
    from jobctl.config.json_schema import schema
    from jobctl.config.loader import find, load, loads
    from jobctl.config.models import (
        Autoscale,
        Build,
        Config,
        Controller,
        Healing,
        Jobs,
        Logs,
        Master,
        Mount,
        Network,
        Pool,
        Queue,
        Redis,
        Retention,
        Schedule,
        Service,
        Update,
        Watchdog,
        Webhook,
    )
    from jobctl.config.show import resolved_yaml
    from jobctl.config.templates import job_template, template_names
    from jobctl.config.watchdog import signing_secret

_HOMES = {
    "jobctl.config.idle": ("idle_settings",),
    "jobctl.config.json_schema": ("schema",),
    "jobctl.config.loader": ("find", "load", "loads"),
    "jobctl.config.show": ("resolved_yaml",),
    "jobctl.config.templates": ("job_template", "template_names"),
    "jobctl.config.models": (
        *("Build", "Config", "Jobs", "Logs", "Master", "Mount", "Network", "Pool", "Queue"),
        *("Redis", "Retention", "Schedule"),
        *("Autoscale", "Controller", "Healing", "Service", "Update", "Watchdog", "Webhook"),
    ),
    "jobctl.config.jobs": ("JobFields", "job_spec"),
    "jobctl.config.watchdog": ("signing_secret",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Autoscale",
    "Build",
    "Config",
    "ConfigError",
    "Controller",
    "Healing",
    "JobFields",
    "Jobs",
    "Logs",
    "Master",
    "Mount",
    "Network",
    "Pool",
    "Problem",
    "Queue",
    "Redis",
    "Retention",
    "Schedule",
    "Service",
    "TemplateError",
    "Update",
    "Watchdog",
    "Webhook",
    "find",
    "idle_settings",
    "job_spec",
    "job_template",
    "load",
    "loads",
    "resolved_yaml",
    "schema",
    "signing_secret",
    "template_names",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
