"""Several worker processes under one parent, which starts them, restarts them and passes signals on.

The parent makes no client of anything: children are forked before any connection exists.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable

from routing import backoff

logger = logging.getLogger(__name__)

_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG = 1
_BASE, _CAP = 0.5, 30.0
# A child that lived this long was well: the next restart does not wait longer than the first.
_WELL_AFTER = 60.0


class _Children:
    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._started: dict[int, float] = {}
        self._due: list[float] = []
        self._failures = 0

    @property
    def alive(self) -> bool:
        return bool(self._started)

    def start(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os._exit(_child(self._work, parent))
        self._started[pid] = time.monotonic()

    def signal(self, number: int) -> None:
        self._due.clear()
        for pid in self._started:
            os.kill(pid, number)

    def reap(self, *, restart: bool) -> None:
        while self._started:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            lived = time.monotonic() - self._started.pop(pid)
            if not restart:
                continue
            self._failures = 1 if lived > _WELL_AFTER else self._failures + 1
            wait = backoff.delay(self._failures, base=_BASE, cap=_CAP)
            logger.error(
                "worker %d ended with %d, another one starts in %.1f s",
                pid,
                os.waitstatus_to_exitcode(status),
                wait,
            )
            self._due.append(time.monotonic() + wait)

    def restart_due(self) -> float:
        """Start what is due; seconds until the next one is."""
        now = time.monotonic()
        due = [at for at in self._due if at <= now]
        self._due = [at for at in self._due if at > now]
        for _ in due:
            self.start()
        return min((at - now for at in self._due), default=_CAP)


def supervise(count: int, work: Callable[[], object]) -> None:
    """Run `work` in `count` processes until SIGTERM or SIGINT, which the children get as SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    children = _Children(work)
    for _ in range(count):
        children.start()
    stopping = False
    wait = _CAP
    while children.alive or not stopping:
        received = signal.sigtimedwait(_WATCHED, max(0.01, wait))
        if received and received.si_signo in (signal.SIGTERM, signal.SIGINT):
            stopping = True
            children.signal(signal.SIGTERM)
        children.reap(restart=not stopping)
        wait = _CAP if stopping else children.restart_due()


def _child(work: Callable[[], object], parent: int) -> int:
    """The exit code of a child's work."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    try:
        work()
    except BaseException:
        logger.critical("worker %d failed", os.getpid(), exc_info=True)
        return 1
    return 0
