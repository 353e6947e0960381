"""The one HTTP endpoint of a consumer instance: metrics of all its processes, and whether they are alive."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.conf import settings
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers import instance
from consumers.depths import Depths
from routing.reactor import Reactor

if TYPE_CHECKING:
    from consumers.snapshots import Snapshots

logger = logging.getLogger(__name__)

# A worker writes once a second; one that has not for so long is not taking orders, seconds.
_READY_WITHIN = 5.0
_SLOWEST_CLIENT = 5.0

_Start = Callable[[str, list[tuple[str, str]]], object]
_App = Callable[[dict[str, Any], _Start], Iterable[bytes]]


class _Readiness(Collector):
    def __init__(self, snapshots: Snapshots, workers: int) -> None:
        self._snapshots = snapshots
        self._workers = workers

    @property
    def ready(self) -> int:
        return self._snapshots.fresh(_READY_WITHIN)

    @property
    def complete(self) -> bool:
        return self.ready >= self._workers

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("worker_processes", "Workers this instance is to have", value=self._workers)
        yield GaugeMetricFamily("worker_processes_ready", "Workers whose loop turns", value=self.ready)


def serve(snapshots: Snapshots, *, host: str, port: int, workers: int, queues: Sequence[str]) -> None:
    """Answer `/metrics`, `/health/live` and `/health/ready` until the process is ended; watch the queues' depth."""
    reactor = Reactor()
    readiness = _Readiness(snapshots, workers)
    registry = CollectorRegistry()
    for collector in (snapshots, readiness, Depths(reactor, queues), *instance.collectors):
        registry.register(collector)
    app = _app(make_wsgi_app(registry), readiness)
    with make_server(host, port, app, _Server, _Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        reactor.run()


def _app(metrics: _App, readiness: _Readiness) -> _App:
    def app(environ: dict[str, Any], start: _Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start)
        if path == "/health/live":
            return _answer(start, up=True)
        if path == "/health/ready":
            instance.certificate_watch.remind(within=settings.CONFIG.service.certificate_warning)
            return _answer(start, up=readiness.complete)
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics, /health/live, /health/ready\n"]

    return app


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
