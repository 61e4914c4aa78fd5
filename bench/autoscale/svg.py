"""A line chart as SVG: panels one above the other over the same time, one line per rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from xml.sax.saxutils import escape

Points = Sequence[tuple[float, float]]
COLOURS = ("#0969da", "#bc4c00", "#8250df", "#57606a")
_WIDTH, _PANEL = 860, 170
_LEFT, _RIGHT, _TOP, _GAP = 70, 20, 58, 34
_COLUMNS = 420


@dataclass(frozen=True)
class Panel:
    """One chart: what is drawn, and a line for each name."""

    title: str
    lines: Mapping[str, Points]


def chart(title: str, panels: Sequence[Panel], minutes: float) -> str:
    """Return the document. Points are (minute, value); values begin at zero."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    colours = dict(zip(names, COLOURS, strict=False))
    height = _TOP + len(panels) * (_PANEL + _GAP) + 14
    body = [_text(_LEFT, 20, title, size=15, weight="bold"), *_legend(colours)]
    for number, panel in enumerate(panels):
        body += _panel(panel, _TOP + number * (_PANEL + _GAP), colours, minutes)
    bottom = height - 6
    body.append(_text(_WIDTH - _RIGHT, bottom, "minutes", anchor="end"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="sans-serif" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _legend(colours: Mapping[str, str]) -> list[str]:
    parts, x = [], float(_LEFT)
    for name, colour in colours.items():
        parts.append(f'<rect x="{x:.0f}" y="30" width="14" height="4" fill="{colour}"/>')
        parts.append(_text(x + 19, 36, name))
        x += 40 + 6.6 * len(name)
    return parts


def _panel(panel: Panel, top: float, colours: Mapping[str, str], minutes: float) -> list[str]:
    highest = max((v for points in panel.lines.values() for _, v in points), default=0.0)
    step = _nice(highest / 3 or 1.0)
    ceiling = step * (floor(highest / step) + 1)
    wide = _WIDTH - _LEFT - _RIGHT

    def at(minute: float, value: float) -> str:
        x, y = _LEFT + wide * minute / minutes, top + _PANEL * (1 - value / ceiling)
        return f"{x:.1f},{y:.1f}"

    parts = [_text(_LEFT, top - 6, panel.title, weight="bold")]
    value = 0.0
    while value <= ceiling:
        y = top + _PANEL * (1 - value / ceiling)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#d8dee4"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:,g}", anchor="end"))
        value += step
    tick = _nice(minutes / 8)
    for number in range(int(minutes / tick) + 1):
        x = _LEFT + wide * number * tick / minutes
        parts.append(_text(x, top + _PANEL + 15, f"{number * tick:g}", anchor="middle"))
    for name, points in panel.lines.items():
        drawn = " ".join(at(*point) for point in _thin(points))
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colours[name]}" '
            'stroke-width="1.4" stroke-linejoin="round"/>'
        )
    return parts


def _thin(points: Points) -> list[tuple[float, float]]:
    """Keep of each column of the picture the highest value: no peak is lost."""
    size = max(1, -(-len(points) // _COLUMNS))
    return [
        max(points[i : i + size], key=lambda point: point[1]) for i in range(0, len(points), size)
    ]


def _nice(value: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= value * 0.999)


def _text(
    x: float, y: float, words: str, *, size: int = 12, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="#24292f">{escape(words)}</text>'
    )
