"""Processes of this machine."""

from __future__ import annotations

import time
from pathlib import Path

_PATIENCE = 60.0


def commands_of(mark: str) -> list[tuple[int, str]]:
    """Number and command of each process whose arguments or environment name `mark`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            known = command + (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if mark.encode() in known:
            found.append((int(process.name), command.replace(b"\0", b" ").decode(errors="replace")))
    return found


def await_no_process_of(mark: str) -> None:
    until = time.monotonic() + _PATIENCE
    while left := commands_of(mark):
        assert time.monotonic() < until, left
        time.sleep(0.05)
