"""Child processes that end with their parent, however that ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess  # nosec: B404 - each call says what it runs
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

_LOG_TAIL = 2000
_PATIENCE = 30.0  # seconds
# A parent that ended before setpriv had asked for the signal sends none.
_UNLESS_ORPHAN = '[ "$PPID" = "$0" ] && exec "$@"'


class EmbeddedError(Exception):
    """The embedded stack cannot do it; the message says what failed and what to do."""


def dying_with_parent(argv: Sequence[str | Path], death: signal.Signals) -> list[str]:
    """`argv`, such that the process gets the signal `death` when the thread that started it ends.

    The kernel ties this to the starting thread, so children are started from threads that last.
    """
    pdeathsig = ["setpriv", "--pdeathsig", death.name.removeprefix("SIG"), "--"]
    return [*pdeathsig, "sh", "-c", _UNLESS_ORPHAN, str(os.getpid()), *map(str, argv)]


class Child:
    """A running process of its own session.

    `log`: the file for what it says; `output`: for its stdout apart; `folder`: where it runs.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        name: str,
        log: Path,
        output: Path | None = None,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop: signal.Signals = signal.SIGTERM,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._stop = stop
        with log.open("ab") as said, (output or log).open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - argv is the callers', never a shell's
                [*map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                env=env,
                cwd=folder,
                pass_fds=pass_fds,
                # The terminal's Ctrl-C is for the parent, which stops its children in order.
                start_new_session=True,
            )

    @classmethod
    @contextmanager
    def running(
        cls,
        argv: Sequence[str | Path],
        *,
        name: str,
        log: Path,
        output: Path | None = None,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        stop: signal.Signals = signal.SIGTERM,
    ) -> Iterator[Self]:
        """A child that ends with the block: by `stop`, after half a minute by SIGKILL."""
        child = cls(
            dying_with_parent(argv, stop),
            name=name,
            log=log,
            output=output,
            folder=folder,
            env=env,
            stop=stop,
        )
        try:
            yield child
        finally:
            child.stop(_PATIENCE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raise `EmbeddedError` with the end of its log unless it runs."""
        if (code := self.exit_code()) is not None:
            raise EmbeddedError(
                f"{self.name} ended with status {code}. {self.log} ends with:\n{self._tail()}"
            )

    def finished(self) -> bool:
        """Whether it has ended well. Raises `EmbeddedError` with the end of its log if it ended otherwise."""
        if self.exit_code():
            self.check()
        return self.exit_code() == 0

    def await_port(self, port: int, *, patience: float) -> None:
        """Until it listens on loopback. Raises `EmbeddedError` if it ends or is silent for `patience` seconds."""
        until = time.monotonic() + patience
        while True:
            self.check()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > until:
                    raise EmbeddedError(
                        f"{self.name} does not listen after {patience:.0f} s; see {self.log}"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def stop(self, patience: float) -> None:
        """End it and what it started: by its signal, after `patience` seconds by SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
            return log.read().decode(errors="replace").strip()
