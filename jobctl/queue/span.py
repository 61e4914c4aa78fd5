"""How a length of time reads."""


def span(seconds: float) -> str:
    """Return a length of time in its one or two largest units: 850ms, 12s, 3m10s, 2h5m, 4d3h."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    whole = round(seconds)
    for size, unit, below, rest in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= size:
            minor = whole % size // below
            return f"{whole // size}{unit}" + (f"{minor}{rest}" if minor else "")
    return f"{whole}s"
