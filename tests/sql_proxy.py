"""A proxy in front of PostgreSQL that can lose an answer: the statement is committed, the line then breaks.

It reads both directions of the wire protocol, message by message, and knows a statement by the name in the comment
it begins with: `/* place */ …`.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

_SOCKET = ".s.PGSQL.5432"
_PARSE, _BIND = b"P", b"B"  # from the client
_ROW, _COMPLETE, _READY = b"D", b"C", b"Z"  # from the server


class SqlProxy:
    """Reached through the socket folder `folder`; passes on to the server of the socket folder `server`."""

    def __init__(self, server: str, folder: Path) -> None:
        self.folder = folder
        self.lost: Counter[str] = Counter()
        self._server = f"{server}/{_SOCKET}"
        self._to_lose: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._lines: list[_Line] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._listening.bind(str(self.folder / _SOCKET))
        self._listening.listen(64)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for line in self._lines:
            line.end()

    def lose(self, statement: str) -> None:
        """Lose the answer to the next statement of this name that finds or changes any row."""
        with self._lock:
            self._to_lose[statement] += 1

    def take(self, statement: str) -> bool:
        """Whether the answer to this one is to be lost; once for each that is."""
        with self._lock:
            if self._to_lose[statement] == 0:
                return False
            self._to_lose[statement] -= 1
            return True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._server)
                self._lines.append(_Line(self, near, far))


class _Line:
    """One connection: a thread for each direction."""

    def __init__(self, proxy: SqlProxy, near: socket.socket, far: socket.socket) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far
        self._names: dict[bytes, str] = {}  # of prepared statements
        self._running = ""
        self._threads = [threading.Thread(target=way, daemon=True) for way in (self._ask, self._answer)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._break()
        for thread in self._threads:
            thread.join()
        self._near.close()
        self._far.close()

    def _break(self) -> None:
        for half in (self._near, self._far):
            with suppress(OSError):
                half.shutdown(socket.SHUT_RDWR)

    def _ask(self) -> None:
        with suppress(OSError):
            # The first message has no kind.
            self._far.sendall(_counted(self._near))
            for kind, message in _messages(self._near):
                self._look(kind, message[5:])
                self._far.sendall(message)
        self._break()

    def _look(self, kind: bytes, body: bytes) -> None:
        if kind == _PARSE:
            statement, query, *_ = body.split(b"\0", 2)
            self._names[statement] = _name(query)
        elif kind == _BIND:
            self._running = self._names[body.split(b"\0", 2)[1]]

    def _answer(self) -> None:
        held: list[bytes] = []
        with suppress(OSError):
            for kind, message in _messages(self._far):
                held.append(message)
                if kind == _COMPLETE and _rows(message) and self._proxy.take(self._running):
                    self._await_commit()
                    break
                if kind != _ROW:
                    self._near.sendall(b"".join(held))
                    held.clear()
        self._break()

    def _await_commit(self) -> None:
        """The statement is committed when the server is ready for another one."""
        while next(_messages(self._far))[0] != _READY:
            pass
        self._proxy.lost[self._running] += 1


def _rows(complete: bytes) -> int:
    """Of the tag of a finished statement: `SELECT 3`, `INSERT 0 3`, but also `SET`."""
    last = complete[5:-1].split(b" ")[-1]
    return int(last) if last.isdigit() else 0


def _name(query: bytes) -> str:
    text = query.decode()
    return text[3 : text.index(" */")] if text.startswith("/* ") else ""


def _messages(source: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Kind and whole bytes of each. Raises `ConnectionError` at the end."""
    while True:
        kind = _exactly(source, 1)
        yield kind, kind + _counted(source)


def _counted(source: socket.socket) -> bytes:
    """A length, which counts itself, and what it covers."""
    head = _exactly(source, 4)
    (length,) = struct.unpack("!I", head)
    return head + _exactly(source, length - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (data := source.recv(size - len(found))):
            raise ConnectionResetError
        found += data
    return found
