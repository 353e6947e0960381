"""From runs to figures. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple


class Spread(NamedTuple):
    """The median of some rounds' figures, and the least and the greatest of them."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Raises `ValueError` for none."""
    if not values:
        raise ValueError("no figures, no median")
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that at least `share` (above 0, at most 1) of them do not exceed: the nearest rank."""
    if not values or not 0 < share <= 1:
        raise ValueError(f"expected values and a share above 0, at most 1; got {len(values)} and {share}")
    return sorted(values)[math.ceil(share * len(values)) - 1]


def cores(microseconds: float, *, per_second: float) -> float:
    """How many cores are busy when each of `per_second` orders takes so many microseconds of CPU."""
    return microseconds * per_second / 1e6


def growth(series: Sequence[float]) -> float:
    """The median of the last quarter of a series by that of its second: the first is left for warming up.

    Raises `ValueError` for less than eight values.
    """
    quarter = len(series) // 4
    if quarter < 2:  # noqa: PLR2004 - one value has no median to speak of
        raise ValueError(f"expected at least eight values, got {len(series)}")
    return statistics.median(series[-quarter:]) / statistics.median(series[quarter : 2 * quarter])


def most_per_second(consumer_us: float, stack_us: float, *, processes: int, cores: int) -> float:
    """Orders a second that `processes` can do at most on `cores` which they share with their stack.

    Each process can use one core; all of them and the stack together the whole machine.
    """
    return min(processes * 1e6 / consumer_us, cores * 1e6 / (consumer_us + stack_us))
