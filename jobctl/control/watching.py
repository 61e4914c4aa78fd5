"""The watchdog at work: checks, decides, mends, and keeps an incident of all that happens."""

from __future__ import annotations

from collections.abc import Callable, Collection

from jobctl.cluster.desired import Desired
from jobctl.cluster.observed import Observed
from jobctl.config import Config
from jobctl.control.deaths import Death, Orderer
from jobctl.control.healing import Condition
from jobctl.control.place import Place
from jobctl.control.releases import Say
from jobctl.engine.model import EngineEvent
from jobctl.engine.protocol import Engine


class Watching:
    """Watches one cluster, in threads of its own, from `start` to `stop`.

    ``ordered`` is told of each container (its id) that it is about to end itself.
    """

    def __init__(
        self,
        engine: Engine,
        place: Place,
        say: Say,
        *,
        ordered: Callable[[str, Orderer], None],
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._ordered = ordered
        self._clock = clock

    @property
    def mending(self) -> frozenset[str]:
        """The instances that a remedy is being carried out on: nobody else touches them."""
        return frozenset()

    def start(self) -> None:
        """Begin; nothing is checked before the first `round`."""

    def stop(self) -> None:
        """End: what is under way is left to its threads, what is known is written."""

    def heard(self, event: EngineEvent, death: Death | None) -> None:
        """Take an event; ``death`` is why a container ended that nobody had ordered to."""

    def round(
        self,
        seen: Observed,
        wanted: Desired,
        config: Config,
        *,
        locked: bool,
        conditions: Collection[Condition] = (),
    ) -> frozenset[str]:
        """Take a new look at the cluster, and return at once what `mending` says.

        ``locked``: somebody is changing containers. ``conditions`` are those of healing.
        """
        del seen, wanted, config, locked, conditions
        return self.mending

    def stand_by(self) -> None:
        """Check, mend and tell nothing until the next `round`: another controller does."""
