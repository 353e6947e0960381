"""A server of raw sockets for what no well-behaved server does."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Request:
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


@dataclass
class Line:
    """One accepted connection."""

    socket: socket.socket
    requests: list[Request]
    ended: threading.Event
    answered: threading.Event

    def read(self) -> Request:
        """The next whole request. Raises `ConnectionError` when the client has gone."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            seen += self._some()
        head, _, body = seen.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while len(body) < int(length[1] if length else 0):
            body += self._some()
        request = Request(head, body)
        self.requests.append(request)
        return request

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.answered.set()

    def answer(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        self.send(head.encode() + body)

    def hang(self) -> None:
        """Until the test is over."""
        self.ended.wait()

    def _some(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError
        return data


Script = Callable[[Line], None]


def always(body: bytes, *, status: str = "200 OK", headers: str = "") -> Script:
    """Answers every request on the connection alike."""

    def script(line: Line) -> None:
        while True:
            line.read()
            line.answer(body, status=status, headers=headers)

    return script


def over_tls(context: ssl.SSLContext, then: Script) -> Script:
    """The same behind TLS. Whoever is not let in is told why, and has the last word."""

    def script(line: Line) -> None:
        secure = context.wrap_socket(line.socket, server_side=True, do_handshake_on_connect=False)
        try:
            secure.do_handshake()
        except ssl.SSLError:
            with socket.socket(fileno=secure.detach()) as line.socket:
                while line.socket.recv(65536):
                    pass
            return
        with secure as line.socket:
            then(line)

    return script


@dataclass
class ScriptedServer:
    """Its n-th connection follows the n-th script, all further ones the last; closed at a script's end."""

    scripts: tuple[Script, ...]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    answered: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)  # a connection was, after its script

    def __post_init__(self) -> None:
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def close(self) -> None:
        self._ended.set()
        for waiting in (self._listener, *tuple(self._open)):
            with suppress(OSError):  # ended by itself meanwhile
                waiting.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()
        self._listener.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.connections, len(self.scripts) - 1)]
            self.connections += 1
            self._start(self._follow, script, connection)

    def _follow(self, script: Script, connection: socket.socket) -> None:
        connection.settimeout(10)
        self._open.add(connection)
        with connection, suppress(OSError):  # the client has gone
            script(Line(connection, self.requests, self._ended, self.answered))
        self._open.discard(connection)
        self.closed.set()
