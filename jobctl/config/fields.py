"""The tree of settings that a model describes: for suggestions, the schema and the reference."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from jobctl.config.types import Section


@dataclass(frozen=True)
class Setting:
    """One field of a section.

    ``path`` is where it stands in the file (``workers.<name>.mounts[].host``), ``owner`` its
    section; when it holds a section itself, that is ``section`` and ``reach`` is what stands
    between the two: "" for a plain one, ``.<name>`` in a map, ``[]`` in a list.
    """

    path: str
    name: str
    info: FieldInfo
    owner: type[Section]
    section: type[Section] | None
    reach: str


def settings(model: type[Section], prefix: str = "") -> Iterator[Setting]:
    """Walk every setting of a model, depth first, in the order of the models."""
    for name, info in model.model_fields.items():
        section, reach = _section_in(info.annotation)
        yield Setting(f"{prefix}{name}", name, info, model, section, reach)
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
            here, reach = _section_in(here.model_fields[str(part)].annotation)
            inside = bool(reach)
    return None if inside else here


def default_of(setting: Setting) -> object:
    """Return a setting's default as it is written in the file (``128MB``); None if required."""
    blank = setting.owner.model_construct()
    return blank.model_dump(mode="json", include={setting.name}).get(setting.name)


def _section_in(annotation: Any) -> tuple[type[Section] | None, str]:
    """Return the section inside an annotation and how it is reached."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _section_in(args[0])
    if origin in (Union, UnionType):
        return _section_in(next(arg for arg in args if arg is not NoneType))
    if origin is dict:
        return _section_in(args[1])[0], ".<name>"
    if origin is tuple:
        return _section_in(args[0])[0], "[]"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ""
    return None, ""
