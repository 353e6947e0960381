"""The worker processes of a run: two under a supervisor, one that stands alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from order_entry_project.embedded.processes import Child, dying_with_parent
from tests.checkout import MANAGE
from tests.servers.binaries import installed
from tests.servers.unavailable import UnavailableError
from tests.waiting import wait_until


class Workers:
    """Started again by whoever ends them; that one of them ends otherwise is an error (`check`)."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._logs = {"supervised": folder / "supervised.log", "alone": folder / "alone.log"}
        self._running: dict[str, Child] = {}
        self._ending: set[str] = set()
        self._killed: list[int] = []
        self._read_to = 0

    def start(self, name: str, *, clock: str | None = None) -> None:
        """`clock`: how far this worker's clock is off, such as +1h."""
        processes = "2" if name == "supervised" else "1"
        argv = [*MANAGE, "consume_orders", "--processes", processes]
        self._running[name] = Child(
            dying_with_parent(argv, signal.SIGTERM),
            name=name,
            log=self._logs[name],
            env={**self._env, **(_wrong_clock(clock) if clock else {})},
        )

    def kill_supervised(self, which: int) -> None:
        """One of the supervised workers; the supervisor starts another."""
        children = self.supervised()
        if children:
            pid = children[which % len(children)]
            self._killed.append(pid)
            os.kill(pid, signal.SIGKILL)

    def supervised(self) -> list[int]:
        supervisor = self._running["supervised"].pid
        return [
            int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        ]

    def kill(self, name: str) -> None:
        """With all that it has started."""
        child = self._running.pop(name)
        os.killpg(child.pid, signal.SIGKILL)
        child.stop(0)

    def orphan(self) -> list[int]:
        """Kill the supervisor alone; its workers, which are to end by themselves."""
        workers = self.supervised()
        supervisor = self._running.pop("supervised")
        os.kill(supervisor.pid, signal.SIGKILL)
        wait_until(lambda: supervisor.exit_code() is not None, what="the supervisor has ended")
        return workers

    def retry_job(self) -> Child:
        """A `retry_pending_routes` under way."""
        argv = dying_with_parent([*MANAGE, "retry_pending_routes"], signal.SIGTERM)
        return Child(argv, name="retry", log=self._folder / "retry.log", env=self._env)

    def minds_signals(self, name: str) -> bool:
        """Whether it is far enough to end in order when told to."""
        if name == "supervised":
            return bool(self.supervised())
        status = Path(f"/proc/{self._running[name].pid}/status").read_text()
        (caught,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def terminate(self, name: str) -> None:
        self._ending.add(name)
        os.kill(self._running[name].pid, signal.SIGTERM)

    def ended(self, name: str) -> bool:
        """Whether it has ended, as it was asked to."""
        if self._running[name].finished():
            self._ending.remove(name)
            del self._running[name]
            return True
        return False

    def check(self) -> None:
        """Raise unless all that should run does, and no supervised worker ended but by our hand."""
        for name, child in self._running.items():
            if name not in self._ending:
                child.check()
        for line in self._news():
            if " ended with " in line and not any(f" {pid} ended with -9" in line for pid in self._killed):
                raise AssertionError(f"a worker ended by itself: {line}")

    def _news(self) -> list[str]:
        """What the supervisor and its workers have said since this was asked."""
        with self._logs["supervised"].open("rb") as log:
            log.seek(self._read_to)
            news = log.read()
        whole = news.rfind(b"\n") + 1
        self._read_to += whole
        return news[:whole].decode(errors="replace").splitlines()

    def stop(self, patience: float) -> None:
        """In order; raises if one does not end well within `patience` seconds."""
        names = list(self._running)
        for name in names:
            wait_until(lambda name=name: self.minds_signals(name), what=f"{name} minds signals")
            self.terminate(name)
        for name in names:
            wait_until(lambda name=name: self.ended(name), what=f"{name} has stopped", patience=patience)

    def kill_all(self) -> None:
        for name in list(self._running):
            self.kill(name)


def clock_library() -> str:
    """libfaketime's path. Raises `UnavailableError`."""
    if not (found := _libraries()):
        installed("faketime", package="faketime")
        found = _libraries()
    if not found:
        raise UnavailableError("libfaketime.so.1 is not where Debian's package libfaketime puts it")
    return str(found[0])


def _libraries() -> list[Path]:
    return sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def _wrong_clock(offset: str) -> dict[str, str]:
    return {"LD_PRELOAD": clock_library(), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
