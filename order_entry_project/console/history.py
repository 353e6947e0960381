"""What has been: throughput and latency of the last hour by the minute, orders of the last days by status.

Each minute is asked for once, when it is over, and kept by this process; days change longer and are asked for
anew now and then. What is missing is filled in newest first, so much at each look: the cost of a look is bounded,
however many orders there are. A period that takes too long to count stays a gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from orders import bounded

MINUTES, DAYS = 60, 14
# Seconds that one look may spend on filling in.
_PATIENCE = 0.6
_MILLISECONDS = 1500
# Until what was written in a period has been committed.
_SETTLED = timedelta(seconds=10)

# Both go by the small indexes over the time of writing, see the models.
_PLACED = """/* console: placed */
SELECT count(*) FROM order_events WHERE at >= %(start)s AND at < %(end)s AND event = 'PLACED'
"""
_ATTEMPTS = """/* console: attempts */
SELECT count(*) FILTER (WHERE outcome IN ('ACCEPTED', 'MANUAL')),
       count(*) FILTER (WHERE outcome IN ('UNREACHABLE', 'UNKNOWN')),
       count(*) FILTER (WHERE outcome = 'REFUSED'),
       percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY spent)
FROM (SELECT outcome, latency_ms + (SELECT sum(s) FROM unnest(stages_ms) s) AS spent
      FROM order_routes WHERE decided_at >= %(start)s AND decided_at < %(end)s) attempts
"""
_STATUSES = """/* console: a day */
SELECT status, count(*) FROM orders WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY status
"""

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Minute:
    """Orders placed and routed, calls that got no answer or no; milliseconds from a message to its route."""

    placed: int
    routed: int
    unanswered: int
    refused: int
    median: float | None
    late: float | None  # 95 of 100 took less


@dataclass(frozen=True)
class Period(Generic[_Value]):
    """`value` None: not known yet, or not to be had in time."""

    start: datetime
    value: _Value | None


class Periods(Generic[_Value]):
    """The last `number` periods of a length, each once `ask`ed for and kept for as long as `life` says."""

    def __init__(
        self,
        number: int,
        length: timedelta,
        *,
        ask: Callable[[datetime, datetime], _Value],
        life: Callable[[timedelta], float],
    ) -> None:
        """`life`: seconds for which the answer about a period is kept that began so long ago."""
        self._number = number
        self._length = length
        self._ask = ask
        self._life = life
        self._kept: dict[datetime, tuple[_Value | None, float]] = {}

    def until(self, end: datetime) -> list[Period[_Value]]:
        """The periods up to `end`, oldest first."""
        starts = [end - self._length * number for number in range(1, self._number + 1)]
        began = time.monotonic()
        for start in starts:
            if time.monotonic() - began > _PATIENCE:
                break
            if start not in self._kept or self._kept[start][1] < time.monotonic():
                self._kept[start] = self._asked(start), time.monotonic() + self._life(end - start)
        self._kept = {start: self._kept[start] for start in starts if start in self._kept}
        return [Period(start, self._kept.get(start, (None,))[0]) for start in reversed(starts)]

    def _asked(self, start: datetime) -> _Value | None:
        try:
            return self._ask(start, start + self._length)
        except bounded.TooSlow:
            return None


def last_hour(now: datetime) -> list[Period[Minute]]:
    """By the minute, up to the last one that is over."""
    return _minutes.until((now - _SETTLED).replace(second=0, microsecond=0))


def last_days(now: datetime) -> list[Period[Mapping[str, int]]]:
    """How many of the orders created on each day have which status now."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _days.until(today + timedelta(days=1))


def _minute(start: datetime, end: datetime) -> Minute:
    span = {"start": start, "end": end}
    ((placed,),) = bounded.rows(_PLACED, span, milliseconds=_MILLISECONDS)
    ((routed, unanswered, refused, spent),) = bounded.rows(_ATTEMPTS, span, milliseconds=_MILLISECONDS)
    median, late = spent or (None, None)
    return Minute(placed, routed, unanswered, refused, median, late)


def _day(start: datetime, end: datetime) -> Mapping[str, int]:
    found = bounded.rows(_STATUSES, {"start": start, "end": end}, milliseconds=_MILLISECONDS)
    return {status: count for status, count in found}  # noqa: C416 - a row is a tuple of any length to mypy


def _days_life(age: timedelta) -> float:
    return 20.0 if age <= timedelta(days=1) else 600.0


_minutes = Periods(MINUTES, timedelta(minutes=1), ask=_minute, life=lambda _: 7200.0)
_days = Periods(DAYS, timedelta(days=1), ask=_day, life=_days_life)
