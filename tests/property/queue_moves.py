"""The model and the real queue side by side: choosing, and lines that are cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis.stateful import RuleBasedStateMachine

from jobctl.queue import Queue, Status, Unavailable, connect
from tests.property.queue_model import Model
from tests.property.queue_model_places import ModelJob
from tests.property.queue_witness import Witness
from tests.support.cut_line import CutLine
from tests.support.queue_lab import Lab
from tests.support.redis_server import RedisServer

QUEUES = ("default", "other")
ORDERS = st.sampled_from([["default"], ["default", "other"], ["other", "default"]])
# What becomes of a call: it is made, or first one is cut off before or after Redis did it.
FATES = st.sampled_from(["", "", "", "", "request", "reply"])
YES_NO = st.booleans()

_projects = itertools.count(1)


class QueueMoves(RuleBasedStateMachine):
    """Moves are made on Redis and on the model at once, and check that both say the same."""

    server: RedisServer
    line: CutLine

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.incarnations = itertools.count(1)
        self.ids = (f"{number:026}" for number in itertools.count(1))
        self.lost: set[str] = set()  # claimed in a reply that never arrived
        self.past: set[tuple[str, int]] = set()  # every attempt ever handed out
        self.litter: set[str] = set()
        self.ticks = 0
        self.open_project()

    def open_project(self) -> None:
        """A queue with nothing in it, and a line to it that can be cut."""
        self.lab = Lab(self.server, f"machine-{next(_projects)}")
        self.lab.__enter__()
        self.queue = self.lab.queue
        self.far = connect("", project=self.lab.project, unix_socket_path=self.line.socket)
        self.witness = Witness(self.lab)

    def close_project(self) -> None:
        self.far.close()
        self.lab.__exit__(None, None, None)

    def teardown(self) -> None:
        self.close_project()

    def cut(self, fate: str, call: Callable[[Queue], Any]) -> bool:
        """Make a call whose line is cut, if it is to be; whether Redis has carried it out."""
        if fate:
            self.line.cut("request" if fate == "request" else "reply")
            with pytest.raises(Unavailable):
                call(self.far)
            assert self.line.happened
        return fate == "reply"

    def tending(self, now: bool) -> None:
        """Whether the next call of a worker looks after what others left."""
        self.lab.nobody_swept_for(1.0 if now else 0.0)
        if now:
            self.model.cascade()

    def pick(self, data: st.DataObject, *statuses: Status) -> ModelJob:
        return data.draw(st.sampled_from(self.model.with_status(*statuses)))

    def has(self, *statuses: Status) -> bool:
        return bool(self.model.with_status(*statuses))
