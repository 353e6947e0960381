"""A circuit breaker: what keeps failing is left alone for a while, then probed once. Pure; the caller has the clock."""

from __future__ import annotations

from enum import Enum

from orders import backoff


class State(Enum):
    CLOSED = "closed"  # calls are made
    OPEN = "open"  # no calls are made
    HALF_OPEN = "half-open"  # one call is made, to see


class Breaker:
    """Opens after `failures` in a row, for a time that doubles up to `cap` seconds while probes fail too."""

    def __init__(self, *, failures: int, base: float, cap: float) -> None:
        self._threshold = failures
        self._base = base
        self._cap = cap
        self._failures = 0
        self._openings = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def closed(self) -> bool:
        return self._open_until is None

    @property
    def probing(self) -> bool:
        """Whether the one call is under way that is to show how things stand."""
        return self._probing

    def state(self, *, now: float) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    def wait(self, *, now: float) -> float:
        """Seconds until a call may be made again."""
        return max(0.0, self._open_until - now) if self._open_until is not None else 0.0

    def allows(self, *, now: float) -> bool:
        """Whether a call may be made now; where only one may, this is it."""
        state = self.state(now=now)
        if state is State.HALF_OPEN and not self._probing:
            self._probing = True
            return True
        return state is State.CLOSED

    def succeeded(self) -> None:
        self._failures = self._openings = 0
        self._open_until = None
        self._probing = False

    def failed(self, *, now: float) -> None:
        self._failures += 1
        if self._probing or (self._open_until is None and self._failures >= self._threshold):
            self._openings += 1
            self._open_until = now + backoff.delay(self._openings, base=self._base, cap=self._cap)
            self._probing = False
