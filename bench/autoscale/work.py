"""What a simulated pool is given to do: arrivals over time, and how long its jobs take."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

# From so many on, the law of large numbers is as good as drawing each, and a lot cheaper.
_MANY = 64
_QUANTILES = 8


@dataclass(frozen=True)
class Service:
    """Log-normal service times: the mean in seconds, and sigma of the logarithm (0: constant).

    With `exponential` they are that instead, as the formulas of queueing theory want them.
    """

    mean: float
    sigma: float = 0.5
    exponential: bool = False

    def draw(self, rng: random.Random) -> float:
        if self.exponential:
            return rng.expovariate(1 / self.mean)
        return rng.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma)

    def split(self, jobs: int, rng: random.Random) -> Iterator[tuple[float, int]]:
        """Yield (service time, how many): each drawn when few, from quantiles when many."""
        if jobs < _MANY:
            for _ in range(jobs):
                yield self.draw(rng), 1
            return
        each, rest = divmod(jobs, _QUANTILES)
        for number, value in enumerate(self._quantiles(rng)):
            yield value, each + (number < rest)

    def _quantiles(self, rng: random.Random) -> list[float]:
        """One draw from each of equally likely parts, scaled to the mean."""
        drawn = sorted(self.draw(rng) for _ in range(_MANY))
        size = _MANY // _QUANTILES
        parts = [sum(drawn[i : i + size]) / size for i in range(0, _MANY, size)]
        scale = self.mean * _QUANTILES / sum(parts)
        rng.shuffle(parts)
        return [part * scale for part in parts]


def poisson(mean: float, rng: random.Random) -> int:
    """Draw a Poisson number (the normal approximation from 50 on)."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def whole(value: float, rng: random.Random) -> int:
    """Round at random so that the mean stays."""
    low = math.floor(value)
    return low + (rng.random() < value - low)
