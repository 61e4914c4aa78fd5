"""The containers of a cluster side by side with what the master knows of its workers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jobctl.cli import text
from jobctl.cli.context import Session
from jobctl.client import ClientError
from jobctl.cluster.errors import ClusterError
from jobctl.queue.span import span

if TYPE_CHECKING:
    from jobctl.cluster import InstanceRow


@dataclass(frozen=True)
class Instance:
    """One row of ``ps``; ``worker`` is the master's view of it, None when there is none."""

    row: "InstanceRow"
    worker: Mapping[str, Any] | None

    def cells(self, now: float) -> tuple[str, ...]:
        """Return the row as text."""
        row, worker = self.row, self.worker or {}
        ids = list(worker.get("jobs", ()))
        jobs = ids[0] + (f" +{len(ids) - 1}" if len(ids) > 1 else "") if ids else ""
        return (
            row.name,
            row.state,
            row.exit or ("" if row.health == "none" else row.health),
            str(worker.get("status", "")) if row.state == "running" else "",
            jobs,
            f"{row.cpus:g}",
            text.size(row.memory),
            span(max(0.0, now - row.created)),
        )

    def data(self) -> dict[str, Any]:
        """Return the row for the envelope; times are ISO 8601."""
        row = asdict(self.row)
        row["created"] = text.iso(self.row.created)
        return row | {"worker": dict(self.worker) if self.worker is not None else None}


def instances(session: Session, rows: Sequence["InstanceRow"]) -> list[Instance]:
    """Join the rows with the workers, as far as the master answers; ``ps`` works without it."""
    workers: dict[str, Mapping[str, Any]] = {}
    if any(row.service == "master" and row.state == "running" for row in rows):
        try:
            workers = {worker["name"]: worker for worker in session.client.workers()}
        except (ClientError, ClusterError) as error:
            session.out.note(f"what the workers are doing is not known: {error}")
    return [Instance(row, workers.get(row.name)) for row in rows]
