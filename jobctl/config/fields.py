"""The tree of settings that a model describes: for suggestions, the reference and the tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from jobctl.config.types import Section


@dataclass(frozen=True)
class Setting:
    """One field: its path (``workers.<name>.mounts[].host``), and its section if it holds one."""

    path: str
    name: str
    info: FieldInfo
    section: type[Section] | None


def section_of(annotation: Any) -> tuple[type[Section] | None, str]:
    """Return the section inside an annotation and how to reach it: "", ``.<name>`` or ``[]``."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return section_of(args[0])
    if origin in (Union, UnionType):
        return section_of(next(arg for arg in args if arg is not NoneType))
    if origin is dict:
        return section_of(args[1])[0], ".<name>"
    if origin is tuple:
        return section_of(args[0])[0], "[]"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ""
    return None, ""


def settings(model: type[Section], prefix: str = "") -> Iterator[Setting]:
    """Walk every setting of a model, depth first, in the order of the models."""
    for name, info in model.model_fields.items():
        section, reach = section_of(info.annotation)
        yield Setting(f"{prefix}{name}", name, info, section)
        if section:
            yield from settings(section, f"{prefix}{name}{reach}.")


def section_at(model: type[Section], place: tuple[str | int, ...]) -> type[Section] | None:
    """Return the section that a place in a file belongs to; None when it is no section."""
    here: type[Section] | None = model
    inside = False  # the next part is a name in a map or an index in a list
    for part in place:
        if inside:
            inside = False
        elif here is None or part not in here.model_fields:
            return None
        else:
            here, reach = section_of(here.model_fields[str(part)].annotation)
            inside = bool(reach)
    return None if inside else here
