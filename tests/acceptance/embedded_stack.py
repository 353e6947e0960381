"""`manage.py demo` and `manage.py run` as a user starts them, in a data folder of the test's own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from order_entry_project.config import BASE_DIR

PATIENCE = 60.0


def environment(**more: str) -> dict[str, str]:
    """A shell's, where nothing names a configuration."""
    return {name: value for name, value in os.environ.items() if name != "ORDER_ENTRY_CONFIG"} | more


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Running:
    """A `manage.py run`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._said = ""
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def line_with(self, text: str) -> str:
        """The next line of the output that holds `text`."""
        while line := self._lines.get(timeout=PATIENCE):
            self._said += line
            if text in line:
                return line
        self._lines.put("")
        raise AssertionError(f"it ended without a line with {text!r}")

    def all_said(self) -> str:
        """Its whole output, once it has ended."""
        while line := self._lines.get(timeout=PATIENCE):
            self._said += line
        return self._said

    def end(self, number: signal.Signals) -> int:
        """Its exit status after the signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Running]:
    with subprocess.Popen(
        [sys.executable, "-u", "manage.py", "run", "--data", str(folder), *arguments],
        cwd=BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        run = Running(process)
        try:
            yield run
        except BaseException as error:
            process.kill()
            error.add_note(f"manage.py run said:\n{run.all_said()}")
            raise
        finally:
            process.kill()
