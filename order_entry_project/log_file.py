"""A log file that several processes append to and that logrotate may move away at any time."""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

_MODE = 0o640
# The same file: device and inode.
_Identity = tuple[int, int]


class LogFile(logging.Handler):
    """Writes each record, of one line or many, with one system call: nobody's lines get in between.

    A file that was moved is opened anew under its name before the next write, so it may be compressed at the next
    rotation, not at once. What cannot be written (no room, no right) is counted and said on the console when that
    begins and when it is over: work goes on without its log.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)
        self._descriptor: int | None = None
        self._identity: _Identity | None = None
        self._torn = False  # the file ends within a line of ours
        self._missing = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines = self.format(record).encode(errors="backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 - as all of logging's handlers do: a line at fault stops nobody
            self.handleError(record)
            return
        try:
            self._write(lines)
        except OSError as error:
            self._missed(lines.count(b"\n"), error)
        else:
            self._recovered()

    def close(self) -> None:
        self.acquire()
        try:
            self._close()
        finally:
            self.release()
        super().close()

    def _write(self, lines: bytes) -> None:
        descriptor = self._opened()
        if self._torn:
            lines = b"\n" + lines
        written = os.write(descriptor, lines)
        self._torn = written < len(lines)
        if self._torn:
            raise OSError("no room for all of it")

    def _opened(self) -> int:
        """The descriptor of the file that bears the name now."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._close()
        else:
            if self._identity != (found.st_dev, found.st_ino):
                self._close()
        if self._descriptor is None:
            self._descriptor = os.open(
                self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE
            )
            made = os.fstat(self._descriptor)
            self._identity = made.st_dev, made.st_ino
            self._torn = False
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = self._identity = None

    def _missed(self, lines: int, error: OSError) -> None:
        if not self._missing:
            logger.error("%s cannot be written, lines are missing from now on: %s", self._path, error)
        self._missing += lines

    def _recovered(self) -> None:
        if self._missing:
            logger.warning("%s is written again, %d lines are missing", self._path, self._missing)
            self._missing = 0
