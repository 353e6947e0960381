"""SIGTERM and SIGINT for work that looks for them between its steps, so that none is cut in two."""

from __future__ import annotations

import signal
from typing import Self

_STOPPING = {signal.SIGTERM, signal.SIGINT}


class StopSignals:
    """While in force both signals wait, in this thread and in those it starts, until `received` takes them."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        return self

    def __exit__(self, *_: object) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)

    def received(self, *, within: float = 0.0) -> bool:
        """Whether one comes within so many seconds; `count` has them all."""
        if signal.sigtimedwait(_STOPPING, within) is None:
            return False
        self.count += 1
        return True
