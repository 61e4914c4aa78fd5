"""A config written out again: every setting, with the defaults filled in."""

import re

import yaml

from jobctl.config.models import Config
from jobctl.config.reader import CORE_SCALARS


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.1, as PyYAML writes it, or 1.2, as jobctl reads it, could mistake."""


for _name, _pattern, _first in CORE_SCALARS:
    _Dumper.add_implicit_resolver(f"{_name}-1.2", re.compile(f"^(?:{_pattern})$"), _first)


def resolved_yaml(config: Config) -> str:
    """Write a config as YAML that ``load`` reads back to an equal one (host paths are absolute)."""
    data = config.model_dump(mode="json")
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
