"""How the workers' breakers stand, as each of them has said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from consumers.models import WorkerState
from orders import bounded

_MILLISECONDS = 300
# Whoever has said nothing for so long may be gone.
_SILENT = timedelta(seconds=3 * WorkerState.TOLD_EVERY)


@dataclass(frozen=True)
class Breaker:
    """Of one neighbour; `states`: at how many workers it stands so."""

    name: str
    states: Mapping[str, int]

    @property
    def level(self) -> str:
        """As components are shown."""
        if set(self.states) == {"closed"}:
            return "up"
        return "down" if set(self.states) == {"open"} else "degraded"

    @property
    def text(self) -> str:
        if len(self.states) == 1:
            return next(iter(self.states))
        return ", ".join(f"{state} at {count}" for state, count in sorted(self.states.items()))


@dataclass(frozen=True)
class Workers:
    """`speaking` of them have said something just now; `silent` ones have not for a while."""

    speaking: int
    silent: int
    breakers: Sequence[Breaker]


def found() -> Workers | None:
    """None: it could not be had in time."""
    clock = ExpressionWrapper(Now(), output_field=DateTimeField())
    try:
        with bounded.bounded(_MILLISECONDS):
            states = list(WorkerState.objects.annotate(now=clock).values_list("breakers", "seen_at", "now"))
    except bounded.TooSlow:
        return None
    speaking = [breakers for breakers, seen_at, now in states if now - seen_at <= _SILENT]
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for breakers in speaking:
        for name, state in breakers.items():
            counts[name][state] += 1
    breakers = [Breaker(name, dict(of_it)) for name, of_it in sorted(counts.items())]
    return Workers(len(speaking), len(states) - len(speaking), breakers)
