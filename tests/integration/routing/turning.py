"""Turning a reactor until something is so."""

from __future__ import annotations

import time
from collections.abc import Callable

from routing.reactor import Reactor

_PATIENCE = 10.0


def turn_until(reactor: Reactor, done: Callable[[], object], *, patience: float = _PATIENCE) -> None:
    """Until `done()`; fails after `patience` seconds."""

    def look() -> None:
        if done():
            reactor.stop()
        elif time.monotonic() > end:
            reactor.fail(AssertionError(f"not so within {patience:g} s"))
        else:
            reactor.call_later(0.001, look)

    end = time.monotonic() + patience
    look()
    reactor.run()


def turn_for(reactor: Reactor, seconds: float) -> None:
    reactor.call_later(seconds, reactor.stop)
    reactor.run()
