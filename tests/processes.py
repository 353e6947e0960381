"""Processes of this machine."""

from __future__ import annotations

from pathlib import Path

from tests.waiting import wait_until


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
    wait_until(lambda: not commands_of(mark), what=f"no process of {mark} is left")
