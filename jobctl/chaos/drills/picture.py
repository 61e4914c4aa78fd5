"""The timeline of a drill as one inline SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from jobctl.chaos.drills.history import HELD, FaultSeen, History, Terms
from jobctl.chaos.drills.recovery import Span
from jobctl.chaos.drills.stories import Story
from jobctl.chaos.drills.timeline import Point, Stint, level, rate, stints

_WIDTH, _LEFT, _RIGHT = 1120, 150, 14
_PLOT = _WIDTH - _LEFT - _RIGHT
_PANEL, _GAP, _TOP = 74, 26, 24
_FAULT_ROW, _LANE = 20, 7
_MOST_STINTS = 6000
_QUEUED = frozenset({"queued", "scheduled", "blocked"})


def picture(
    history: History, terms: Terms, told: dict[str, Story], unsteady: Sequence[Span]
) -> str:
    """Draw faults, jobs, backlog and workers under each other, on one axis of time."""
    return _Picture(history, terms, told, unsteady).draw()


class _Picture:
    """One drawing; each part says how high it was."""

    def __init__(
        self, history: History, terms: Terms, told: dict[str, Story], unsteady: Sequence[Span]
    ) -> None:
        self._history, self._terms, self._told = history, terms, told
        self._unsteady = unsteady
        self._end = max(1.0, history.ended - history.began)
        self._out: list[str] = []
        self._y = _TOP

    def draw(self) -> str:
        """Return the whole element."""
        self._faults()
        top = self._y
        began, end = self._history.began, self._history.ended
        ends = [s.ended.at for s in self._told.values() if s.ended]
        step = max(1.0, math.ceil(self._end / 240))
        come = rate([one.at for one in self._history.acknowledged], began, end, step)
        self._panel(
            "jobs a second",
            [("came", come, "acknowledged"), ("went", rate(ends, began, end, step), "ended")],
        )
        self._panel(
            "backlog",
            [
                ("queued", level(self._told.values(), _QUEUED, began), "waiting"),
                ("held", level(self._told.values(), HELD, began), "on workers"),
            ],
        )
        fleet = [(one.at - began, float(one.running)) for one in self._history.fleet]
        most = max((one.all for one in self._history.fleet), default=1)
        self._panel("workers", [("up", fleet, "running")], most=float(most))
        self._lanes()
        self._shade(top)
        self._axis()
        body = "\n".join(self._out)
        height = self._y + 8
        return (
            f'<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" '
            f'aria-label="Timeline of the drill">\n{body}\n</svg>'
        )

    def _x(self, second: float) -> float:
        return _LEFT + _PLOT * min(max(second, 0.0), self._end) / self._end

    def _faults(self) -> None:
        """Draw a row for each fault that was made, as long as it lasted."""
        made = [fault for fault in self._history.faults if not fault.problem]
        ends: list[float] = []
        for fault in made:
            x, over = self._span(fault)
            label = f"{fault.kind} {fault.instance}".strip()
            width = max(over - x, 4.0)
            # Whatever its words take up is not free for the next one in the same row.
            row = next((n for n, end in enumerate(ends) if end < x), len(ends))
            words = 6.3 * len(label) + 8
            left = x + width + words > _WIDTH
            ends[row : row + 1] = [x + width + (0 if left else words)]
            y = self._y + row * _FAULT_ROW
            self._out.append(
                f'<rect class="fault" x="{x:.1f}" y="{y}" width="{width:.1f}" height="13" rx="2"/>'
            )
            place, anchor = (x - 4, "end") if left else (x + width + 4, "start")
            self._out.append(
                f'<text class="label" x="{place:.1f}" y="{y + 10.5}" text-anchor="{anchor}">'
                f"{escape(label)}</text>"
            )
        self._name("faults", self._y + 11)
        self._y += _FAULT_ROW * max(1, len(ends)) + 10

    def _span(self, fault: FaultSeen) -> tuple[float, float]:
        began = self._history.began
        return self._x(fault.began - began), self._x(fault.ended - began)

    def _panel(
        self, name: str, lines: Sequence[tuple[str, Sequence[Point], str]], most: float = 0.0
    ) -> None:
        """Draw lines that share an axis: the class, the points and the meaning of each."""
        highest = max([most, 1.0, *(y for _, points, _ in lines for _, y in points)])
        base = self._y + _PANEL
        self._name(name, self._y + 12)
        for index, (kind, _, meaning) in enumerate(lines):
            y = self._y + 30 + 15 * index
            self._out.append(f'<rect class="key {kind}" x="4" y="{y - 8}" width="10" height="9"/>')
            self._out.append(f'<text class="label" x="19" y="{y}">{escape(meaning)}</text>')
        self._out.append(
            f'<line class="base" x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _RIGHT}" y2="{base}"/>'
            f'<text class="tick" x="{_LEFT - 5}" y="{self._y + 9}" text-anchor="end">'
            f"{highest:g}</text>"
            f'<text class="tick" x="{_LEFT - 5}" y="{base}" text-anchor="end">0</text>'
        )
        for kind, points, _ in lines:
            path = " ".join(self._steps(points, base, highest))
            if path:
                close = f" L {self._x(self._end):.1f} {base} L {self._x(points[0][0]):.1f} {base} Z"
                self._out.append(f'<path class="area {kind}" d="{path}{close}"/>')
                self._out.append(f'<path class="line {kind}" d="{path}"/>')
        self._y = base + _GAP

    def _steps(self, points: Sequence[Point], base: float, highest: float) -> Iterator[str]:
        for index, (at, value) in enumerate(points):
            y = base - (_PANEL - 4) * value / highest
            if index == 0:
                yield f"M {self._x(at):.1f} {y:.1f}"
            else:
                yield f"H {self._x(at):.1f} V {y:.1f}"
        if points:
            yield f"H {self._x(self._end):.1f}"

    def _lanes(self) -> None:
        """Draw every attempt on its worker."""
        found = stints(self._told, self._history)
        shown = found[:_MOST_STINTS]
        workers = sorted({one.worker for one in shown})
        for worker in workers:
            own = [one for one in shown if one.worker == worker]
            lanes = 1 + max(one.lane for one in own)
            self._name(worker, self._y + 8)
            for one in own:
                self._out.append(self._stint(one))
            self._y += lanes * _LANE + 9
        if len(found) > len(shown):
            self._out.append(
                f'<text class="label" x="{_LEFT}" y="{self._y + 4}">the first {len(shown)} of '
                f"{len(found)} attempts</text>"
            )
            self._y += 16
        if workers:
            self._legend()

    def _stint(self, one: Stint) -> str:
        x, over = self._x(one.began), self._x(one.ended)
        took = one.ended - one.began
        title = f"{one.job} attempt {one.attempt}: {one.how} after {took:.2f} s"
        return (
            f'<rect class="stint {one.how}" x="{x:.1f}" y="{self._y + one.lane * _LANE}" '
            f'width="{max(over - x, 1.0):.1f}" height="{_LANE - 1.5}">'
            f"<title>{escape(title)}</title></rect>"
        )

    def _legend(self) -> None:
        x = float(_LEFT)
        meanings = (
            ("succeeded", "succeeded"),
            ("failed", "failed"),
            ("taken", "taken from a lost worker"),
            ("handed-back", "handed back"),
            ("open", "not ended"),
            ("unsteady", "above: not steady"),
        )
        for kind, meaning in meanings:
            self._out.append(
                f'<rect class="stint {kind}" x="{x:.0f}" y="{self._y - 2}" width="12" height="8"/>'
                f'<text class="label" x="{x + 16:.0f}" y="{self._y + 6}">{meaning}</text>'
            )
            x += 34 + 6.4 * len(meaning)
        self._y += 18

    def _shade(self, top: float) -> None:
        """Lay faults, and the times without the steady state, behind everything."""
        began, behind = self._history.began, []
        for fault in self._history.faults:
            if not fault.problem:
                x, over = self._span(fault)
                behind.append(
                    f'<rect class="during" x="{x:.1f}" y="{top - 4}" '
                    f'width="{max(over - x, 1.5):.1f}" height="{self._y - top}"/>'
                )
        for since, until in self._unsteady:
            x, over = self._x(since - began), self._x(until - began)
            behind.append(
                f'<rect class="unsteady" x="{x:.1f}" y="{top - 9}" '
                f'width="{max(over - x, 1.5):.1f}" height="4"><title>not steady</title></rect>'
            )
        self._out[:0] = behind

    def _axis(self) -> None:
        step = _nice(self._end / 10)
        second = 0.0
        while second <= self._end:
            x = self._x(second)
            self._out.append(
                f'<line class="grid" x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{self._y - 6}"/>'
                f'<text class="tick" x="{x:.1f}" y="{_TOP - 10}" text-anchor="middle">'
                f"{_clock(second)}</text>"
            )
            second += step

    def _name(self, text: str, y: float) -> None:
        self._out.append(f'<text class="name" x="4" y="{y}">{escape(text)}</text>')


def _nice(step: float) -> float:
    """Return the next larger step that reads well on an axis of seconds."""
    for nice in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600):
        if nice >= step:
            return float(nice)
    return 1800.0 * math.ceil(step / 1800)


def _clock(second: float) -> str:
    return f"{second:.0f} s" if second < 120 else f"{second / 60:g} min"
