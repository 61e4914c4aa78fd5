"""How a container comes, as actions: what it stands on first, then itself. Pure."""

from collections.abc import Iterable

from jobctl.cluster import names
from jobctl.cluster.action import Action, PlanBuilder
from jobctl.cluster.desired import Desired, Instance, Template
from jobctl.cluster.observed import Observed


def needs_of(
    builder: PlanBuilder, wanted: Desired, seen: Observed, template: Template
) -> list[str]:
    """Return the ids of what must be done before a service is started, as its `needs` say."""
    found: list[str] = []
    service = wanted.extra.get(template.service)
    for need, healthy in sorted(service.needs.items()) if service else ():
        name = f"{need}-1"
        target = names.container(wanted.project, name)
        found.append(f"start {name}")
        row = seen.containers.get(target)
        fresh = f"start {name}" in builder.ids("start")
        if healthy and (fresh or row is None or row.health != "healthy"):
            cause = f"{template.service} needs it healthy"
            wait = Action("await", "container", name, cause, target)
            found.append(builder.add(wait, [f"start {name}"]))
    return found


def create_and_start(
    builder: PlanBuilder,
    instance: Instance,
    cause: str,
    after: list[str] | None = None,
    needs: Iterable[str] = (),
) -> None:
    """Add the making of a container; what it reads at its start is written before that.

    It is made after the actions ``after`` and started after those that it ``needs``.
    """
    ground = [i for i in builder.ids("create") if i.startswith(("create network", "create volume"))]
    before = [*(after or []), *ground, *builder.ids("build")]
    target = instance.container.name
    created = builder.add(
        Action("create", "container", instance.name, cause, target, container=instance.container),
        after=before,
    )
    builder.add(
        Action("start", "container", instance.name, "it was just created", target),
        after=[created, "write spec", *needs],
    )
