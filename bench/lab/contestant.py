"""What the clock needs of a queue, whoever made it."""

from collections.abc import Mapping
from typing import Any, Protocol

from bench.lab.recordings import Recordings


class Contestant(Protocol):
    """A queue with its Redis, up to three capped workers and a producer without a cap."""

    name: str
    setting: str
    recordings: Recordings

    def open(self) -> None:
        """Bring everything up but the workers, empty."""

    def produce(self, mode: str, *numbers: float) -> dict[str, Any]:
        """Run the producer to its end; return what it measured."""

    def start_workers(self) -> None:
        """Start three workers; they may still be on their way when this returns."""

    def containers(self) -> Mapping[str, str]:
        """Names of the containers that count: `redis` and one key a worker."""

    def close(self) -> None:
        """Leave nothing behind."""
