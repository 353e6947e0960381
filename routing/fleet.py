"""The router's instances: to which of them the next call goes. Each has a breaker of its own.

Note on choosing: calls are spread, by weight, over the instances of the best rank of which any works: first the lowest
priority, within it those with a weight. An order that has failed at one is tried at another, of the next rank if need
be. An instance that was left alone is probed with a single call once its breaker allows that, unless a better rank
works: nothing is sent there only to see. What changes seldom (which ones work, how they rank) is kept at hand, so
that choosing costs well under a microsecond.
"""

from __future__ import annotations

import logging
import math
import random
from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from routing.breaker import Breaker, State
from routing.measuring import InstanceMetrics
from routing.registry import Instance

logger = logging.getLogger(__name__)
# Which instance a call goes to is no secret; the generator's own lock is its cost.
_random = random.random


@dataclass(slots=True, eq=False)
class Target:
    """An instance, its breaker, and what is measured of it."""

    endpoint: str
    breaker: Breaker
    metrics: InstanceMetrics
    weight: int = field(default=0)
    priority: int = field(default=0)

    @property
    def rank(self) -> tuple[int, bool]:
        """The lower the better."""
        return self.priority, self.weight == 0


class Fleet:
    """`make_breaker` makes one for each instance that is not known yet. Times are the monotonic clock's."""

    def __init__(self, make_breaker: Callable[[], Breaker]) -> None:
        self._make_breaker = make_breaker
        self._targets: dict[str, Target] = {}
        self._serving: Sequence[Target] = ()  # those that work, of the best rank
        self._shares: Sequence[int] = ()  # their weights, added up one by one
        self._probe_at = math.inf  # when one that was left alone may be probed

    @property
    def known(self) -> bool:
        return bool(self._targets)

    def update(self, instances: Iterable[Instance], *, now: float) -> None:
        """These and no others from now on. One that stays keeps its breaker."""
        listed = {one.endpoint: one for one in instances}
        for endpoint in self._targets.keys() - listed.keys():
            self._targets.pop(endpoint).metrics.forget()
        for endpoint, instance in listed.items():
            target = self._targets.get(endpoint) or self._added(endpoint)
            target.weight, target.priority = instance.weight, instance.priority
        self._regroup(now)

    def choose(self, *, now: float, tried: Sequence[str] = ()) -> Target | None:
        """The instance to call now; None where none may be. `tried` are avoided while there are others."""
        if now >= self._probe_at and (probe := self._probe(now, tried)):
            return probe
        if tried and (other := self._other(tried)):
            return other
        serving = self._serving
        if len(serving) > 1:
            return serving[bisect(self._shares, _random() * self._shares[-1])]
        return serving[0] if serving else None

    def has_other(self, tried: Sequence[str]) -> bool:
        """Whether an instance works that is none of these."""
        return self._other(tried) is not None

    def succeeded(self, target: Target, *, now: float) -> None:
        was_closed = target.breaker.closed
        target.breaker.succeeded()
        if not was_closed:
            logger.info("The router at %s answers again", target.endpoint)
            self._regroup(now)

    def failed(self, target: Target, *, now: float) -> None:
        was_closed = target.breaker.closed
        target.breaker.failed(now=now)
        if was_closed and not target.breaker.closed:
            logger.warning("The router at %s keeps failing: it is left alone for a while", target.endpoint)
        if not target.breaker.closed:
            self._regroup(now)

    def state(self, *, now: float) -> State:
        """CLOSED while any works, or none is known; HALF_OPEN where one may be probed, or is being."""
        if self._serving or not self._targets:
            return State.CLOSED
        states = {target.breaker.state(now=now) for target in self._targets.values()}
        return State.HALF_OPEN if State.HALF_OPEN in states else State.OPEN

    def wait(self, *, now: float) -> float:
        """Seconds until a call may be made again."""
        return min((target.breaker.wait(now=now) for target in self._targets.values()), default=0.0)

    def _added(self, endpoint: str) -> Target:
        breaker = self._make_breaker()
        self._targets[endpoint] = Target(endpoint, breaker, InstanceMetrics(endpoint, breaker))
        return self._targets[endpoint]

    def _regroup(self, now: float) -> None:
        working = [target for target in self._targets.values() if target.breaker.closed]
        best = min((target.rank for target in working), default=None)
        self._serving = [target for target in working if target.rank == best]
        self._shares = list(accumulate(target.weight or 1 for target in self._serving))
        self._probe_at = min((now + t.breaker.wait(now=now) for t in self._left_alone()), default=math.inf)

    def _left_alone(self) -> list[Target]:
        """Those that are worth a probe."""
        best = self._serving[0].rank if self._serving else None
        return [
            target
            for target in self._targets.values()
            if not target.breaker.closed
            and not target.breaker.probing
            and (best is None or target.rank <= best)
        ]

    def _probe(self, now: float, tried: Sequence[str]) -> Target | None:
        for target in sorted(self._left_alone(), key=lambda one: one.rank):
            if target.endpoint not in tried and target.breaker.allows(now=now):
                self._regroup(now)
                return target
        return None

    def _other(self, tried: Sequence[str]) -> Target | None:
        """One that works, of the best rank among those, by weight."""
        others = [t for t in self._targets.values() if t.breaker.closed and t.endpoint not in tried]
        best = min((target.rank for target in others), default=None)
        others = [target for target in others if target.rank == best]
        return random.choices(others, [target.weight or 1 for target in others])[0] if others else None  # noqa: S311 - no secret
