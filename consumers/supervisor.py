"""Several processes under one parent, which starts them, restarts them and passes signals on.

The parent makes no client of anything: children are forked before any connection exists. A worker's loop shows
that it turns by writing its metrics; one that has not for `hang_timeout` seconds is killed and started again:
what it held comes back to the queue, and its claims run out.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter

from orders import backoff

if TYPE_CHECKING:
    from consumers.snapshots import Snapshots

logger = logging.getLogger(__name__)

_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG = 1
_BASE, _CAP = 0.5, 30.0
_LOOK = 1.0  # seconds between looks at whether the loops turn
# A child that lived this long was well: the next restart does not wait longer than the first.
_WELL_AFTER = 60.0


@dataclass(slots=True, frozen=True)
class Task:
    """What one child does. `beats`: it writes snapshots, and hangs when it does not."""

    name: str
    run: Callable[[], object]
    beats: bool = True


@dataclass(slots=True, frozen=True)
class _Child:
    task: Task
    started: float


class _Children:
    def __init__(self, snapshots: Snapshots, hang_timeout: float) -> None:
        self._snapshots = snapshots
        self._hang_timeout = hang_timeout
        self._running: dict[int, _Child] = {}
        self._due: list[tuple[float, Task]] = []
        self._failures = 0
        self._registry = CollectorRegistry()
        self._restarts = Counter(
            "worker_restarts", "Processes started again, by cause", ["cause"], registry=self._registry
        )
        self._hung: set[int] = set()
        for cause in ("ended", "hung"):
            self._restarts.labels(cause)
        snapshots.write_supervisors(self._registry)

    @property
    def alive(self) -> bool:
        return bool(self._running)

    def start(self, task: Task) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os._exit(_run(task, parent))
        self._running[pid] = _Child(task, time.monotonic())

    def signal(self, number: int) -> None:
        self._due.clear()
        for pid in self._running:
            os.kill(pid, number)

    def reap(self, *, restart: bool) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._running.pop(pid)
            self._snapshots.tidy()
            lived = time.monotonic() - child.started
            if not restart:
                continue
            self._failures = 1 if lived > _WELL_AFTER else self._failures + 1
            wait = backoff.delay(self._failures, base=_BASE, cap=_CAP)
            code = os.waitstatus_to_exitcode(status)
            logger.error(
                "%s %d ended with %d, another one starts in %.1f s", child.task.name, pid, code, wait
            )
            self._due.append((time.monotonic() + wait, child.task))
            self._count(pid)

    def restart_due(self) -> None:
        now = time.monotonic()
        due = [task for at, task in self._due if at <= now]
        self._due = [(at, task) for at, task in self._due if at > now]
        for task in due:
            self.start(task)

    def kill_hanging(self) -> None:
        now = time.monotonic()
        for pid, child in self._running.items():
            silence = self._snapshots.silence(pid) if child.task.beats else 0.0
            if (now - child.started if silence is None else silence) > self._hang_timeout:
                logger.error("%s %d hangs, it is killed", child.task.name, pid)
                os.kill(pid, signal.SIGKILL)
                self._hung.add(pid)

    def _count(self, pid: int) -> None:
        self._restarts.labels("hung" if pid in self._hung else "ended").inc()
        self._hung.discard(pid)
        self._snapshots.write_supervisors(self._registry)


def supervise(tasks: Sequence[Task], snapshots: Snapshots, *, hang_timeout: float) -> None:
    """Run each task in a process of its own until SIGTERM or SIGINT, which the children get as SIGTERM.

    A second signal ends the children at once.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    children = _Children(snapshots, hang_timeout)
    for task in tasks:
        children.start(task)
    stopping = False
    while children.alive or not stopping:
        received = signal.sigtimedwait(_WATCHED, _LOOK)
        if received and received.si_signo in (signal.SIGTERM, signal.SIGINT):
            children.signal(signal.SIGTERM)
            stopping = True
        children.reap(restart=not stopping)
        if not stopping:
            children.restart_due()
            children.kill_hanging()


def _run(task: Task, parent: int) -> int:
    """The exit code of a child's work."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 0
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    try:
        task.run()
    except BaseException:
        logger.critical("%s %d failed", task.name, os.getpid(), exc_info=True)
        return 1
    return 0
