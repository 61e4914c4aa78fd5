"""Who waits for whom: an order in which nobody comes before what it waits for, or the circles."""

from collections.abc import Iterable, Mapping


def in_order(waits: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """Sort names so that each comes after all it waits for; returns the circles too.

    What waits is a key; names that are none are not looked at. A circle is a path back to where
    it begins: ``[a, b, a]``. Those in one, and in no other, come where it was found.
    """
    ordered: dict[str, None] = {}
    circles: list[list[str]] = []
    known = {name: [one for one in ones if one in waits] for name, ones in waits.items()}
    while len(ordered) < len(known):
        ready = [
            name
            for name, ones in known.items()
            if name not in ordered and all(one in ordered for one in ones)
        ]
        if not ready:
            circles.append(_circle(known, ordered))
            ready = circles[-1][:-1]
        ordered.update(dict.fromkeys(ready))
    return list(ordered), circles


def _circle(waits: Mapping[str, list[str]], done: Iterable[str]) -> list[str]:
    """Return a circle among those that wait for ever: a path back to where it begins."""
    ended = set(done)
    path = [next(name for name in waits if name not in ended)]
    while True:
        following = next(one for one in waits[path[-1]] if one not in ended)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
