"""The simulated router and registry on a thread of the test's process: there at once, with the test's own state.

`simulators` runs them as the processes that `manage.py` makes of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from aiohttp import web

from routing.simulators.dials import RegistryDials, RouterDials
from routing.simulators.registry import registry_app
from routing.simulators.router import router_app

VENUES = ("NASDAQ-EXECUTION-1", "NYSE-EXECUTION-1")


class Simulated:
    """A simulated neighbour at `url`."""

    def __init__(self, app: web.Application, port: int) -> None:
        self._app = app
        self._port = port
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._listening.wait(10), f"nothing listens on port {port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def turn(self, **dials: float) -> None:
        requests.put(f"{self.url}/dials", json=dials, timeout=10).raise_for_status()

    def executions(self) -> Mapping[str, Any]:
        return requests.get(f"{self.url}/executions", timeout=10).json()

    def stop(self) -> None:
        """Nothing listens there any more."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        runner = web.AppRunner(self._app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port, backlog=4096).start()
            self._port = runner.addresses[0][1]
            self._listening.set()
            await self._ended.wait()
        finally:
            await runner.cleanup()


@contextmanager
def simulated_router() -> Iterator[Simulated]:
    with _running(router_app(VENUES, RouterDials(), seed=None), port=0) as router:
        yield router


@contextmanager
def simulated_registry(services: Mapping[str, str], *, port: int = 0) -> Iterator[Simulated]:
    """`services`: name → endpoint."""
    with _running(registry_app(services, RegistryDials(), seed=None), port=port) as registry:
        yield registry


@contextmanager
def _running(app: web.Application, *, port: int) -> Iterator[Simulated]:
    simulated = Simulated(app, port)
    try:
        yield simulated
    finally:
        simulated.stop()
