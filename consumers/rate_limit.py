"""How many messages a process may take now: a token bucket. Pure; the caller has the clock."""

from __future__ import annotations

# Seconds' worth of messages that may be taken at once after a rest.
_BURST = 0.25
_SHORTEST = 0.001


class RateLimit:
    """`rate`: messages a second in the long run."""

    def __init__(self, rate: float, *, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST)
        self._level = self._most
        self._at = now

    def room(self, *, now: float) -> int:
        self._level = min(self._most, self._level + self._rate * (now - self._at))
        self._at = now
        return int(self._level)

    def took(self, count: int) -> None:
        self._level -= count

    @property
    def wait(self) -> float:
        """Seconds from the last look until one may be taken."""
        return max(_SHORTEST, (1 - self._level) / self._rate)
