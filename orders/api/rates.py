"""How often something may happen, counted over all processes of one instance.

Note on sharing: each `Turns` is a table in anonymous shared memory. The server loads the application before it
forks, so its processes have the same table, and a limit holds for them together. (Several instances count each for
itself.) A slot holds one number, the generic cell rate algorithm's: the time by which all that was let through
would be over, had it come evenly at the limit's pace. Keys share a slot where their hashes collide. Threads of a
process take turns by a lock; between processes there is none, which a killed one could leave taken: two that read
the same number at the same instant let one request too many through.
"""

from __future__ import annotations

import mmap
import re
import threading
import time
from functools import cache
from typing import NamedTuple, Self

_ROUNDING = 1e-6  # seconds
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_is_rate = re.compile(r"([1-9][0-9]{0,8})\s*/\s*(s|min|h)").fullmatch


class Rate(NamedTuple):
    """`most` in any `seconds`, be it at once."""

    most: int
    seconds: float

    @classmethod
    @cache
    def parse(cls, text: str) -> Self:
        """`10/s`, `600/min`, `5000/h`. Raises ValueError."""
        match = _is_rate(text.strip())
        if match is None:
            raise ValueError("expected a rate such as 10/s, 600/min or 5000/h")
        return cls(int(match[1]), _UNITS[match[2]])


class Turns:
    def __init__(self, slots: int = 16_384) -> None:
        self._slots = slots
        self._table = memoryview(mmap.mmap(-1, 8 * slots)).cast("d")
        self._lock = threading.Lock()

    def wait(self, key: str, rate: Rate) -> float:
        """Seconds until `key` has a turn; 0.0: it has one now."""
        return self._wait(self._table[self._slot(key)], rate, time.monotonic())

    def take(self, key: str, rate: Rate) -> float:
        """The same, and where it is 0.0 the turn is taken."""
        slot, now = self._slot(key), time.monotonic()
        with self._lock:
            over = self._table[slot]
            if wait := self._wait(over, rate, now):
                return wait
            self._table[slot] = max(over, now) + rate.seconds / rate.most
        return 0.0

    def _slot(self, key: str) -> int:
        # Salted at the start of the server: nobody can choose keys that collide.
        return hash(key) % self._slots

    @staticmethod
    def _wait(over: float, rate: Rate, now: float) -> float:
        wait = over - now - rate.seconds + rate.seconds / rate.most
        return wait if wait > _ROUNDING else 0.0
