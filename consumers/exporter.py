"""The one HTTP endpoint of a consumer instance: metrics of all its processes, and whether they are alive."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from consumers import instance

if TYPE_CHECKING:
    from consumers.snapshots import Snapshots

logger = logging.getLogger(__name__)

# A worker writes once a second; one that has not for so long is not taking orders, seconds.
_READY_WITHIN = 5.0
_SLOWEST_CLIENT = 5.0

_Start = Callable[[str, list[tuple[str, str]]], object]


def serve(snapshots: Snapshots, *, host: str, port: int, workers: int) -> None:
    """Answer `/metrics`, `/health/live` and `/health/ready` until the process is ended."""
    registry = CollectorRegistry()
    registry.register(snapshots)
    for collector in instance.collectors:
        registry.register(collector)
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = metrics(environ, start)
            return answer
        if path == "/health/live":
            return _answer(start, up=True)
        if path == "/health/ready":
            return _answer(start, up=snapshots.fresh(_READY_WITHIN) >= workers)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics, /health/live, /health/ready\n"]

    with make_server(host, port, app, _Server, _Handler) as server:
        server.serve_forever()


def _answer(start: _Start, *, up: bool) -> list[bytes]:
    status = HTTPStatus.OK if up else HTTPStatus.SERVICE_UNAVAILABLE
    start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
    return [b'{"status": "UP"}' if up else b'{"status": "DOWN"}']


class _Server(WSGIServer):
    request_queue_size = 64

    def server_bind(self) -> None:
        # Without the look-up of our own name that the base class makes.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    # One request at a time is answered: none may hold up the others.
    timeout = _SLOWEST_CLIENT

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        logger.debug(format, *arguments)
