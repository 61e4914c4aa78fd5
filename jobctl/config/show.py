"""A config written out again: every setting, with the defaults filled in."""

import yaml

from jobctl.config.models import Config


def resolved_yaml(config: Config) -> str:
    """Write a config as YAML that ``load`` reads back to an equal one (host paths are absolute)."""
    data = config.model_dump(mode="json")
    return yaml.safe_dump(data, sort_keys=False, default_flow_style=False, allow_unicode=True)
