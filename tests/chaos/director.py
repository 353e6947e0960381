"""Which fault comes when: every lane plays each of its faults once a turn, in an order and with rests by the seed."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator

from tests.chaos.faults import LANES, Fault
from tests.chaos.world import World

log = logging.getLogger(__name__)


class Director:
    """Plays faults on the calling thread: processes that a fault starts end with the thread that did."""

    def __init__(self, world: World, *, seed: int, turn: float, without: set[Fault]) -> None:
        """`turn`: seconds over which each lane spreads its faults."""
        self._world = world
        self._seed = seed
        self._turn = turn
        self._without = without
        self._over = False
        self._behind: set[str] = set()  # lanes whose first turn is not over
        self.played: list[str] = []

    def play(self, *, until: Callable[[], bool]) -> None:
        """Whole turns of every lane, until the first of each is over and `until` says so."""
        lanes = {name: self._lane(name) for name in LANES}
        self._behind = set(lanes)
        due = dict.fromkeys(lanes, time.monotonic())
        while lanes:
            name = min(lanes, key=lambda lane: due[lane])
            time.sleep(max(0.0, due[name] - time.monotonic()))
            self._world.workers.check()
            self._over = not self._behind and until()
            try:
                due[name] = time.monotonic() + next(lanes[name])
            except StopIteration:
                del lanes[name]

    def _lane(self, name: str) -> Iterator[float]:
        rng = random.Random(f"{self._seed} {name}")  # noqa: S311 - repeatable, no secret
        while not self._over:
            began = time.monotonic()
            faults = [fault for fault in LANES[name] if fault not in self._without]
            rng.shuffle(faults)
            for played, fault in enumerate(faults):
                left = self._turn - (time.monotonic() - began)
                yield max(0.0, left) / (len(faults) - played) * rng.random()
                if self._over:
                    return
                yield from self._play(name, fault, rng)
            self._behind.discard(name)
            yield max(0.0, self._turn - (time.monotonic() - began))

    def _play(self, lane: str, fault: Fault, rng: random.Random) -> Iterator[float]:
        began = time.monotonic()
        log.info("%s: %s", lane, fault.__name__)
        yield from fault(self._world, rng)
        log.info("%s: %s is over after %.1f s", lane, fault.__name__, time.monotonic() - began)
        self.played.append(fault.__name__)
