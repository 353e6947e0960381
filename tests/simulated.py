"""The simulated router and registry on a thread of the test's process: there at once, with the test's own state.

`simulators` runs them as the processes that they are.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from aiohttp import web
from django.core.management import load_command_class

from tests.simulators import Neighbour


class Simulated(Neighbour):
    """A simulated neighbour that listens on `port`; 0 takes a free one."""

    def __init__(self, app: web.Application, port: int) -> None:
        self._app = app
        self.port = port
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._listening.wait(10), f"nothing listens on port {port}"
        self.url = f"http://127.0.0.1:{self.port}"

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
            await web.TCPSite(runner, "127.0.0.1", self.port, backlog=4096).start()
            self.port = runner.addresses[0][1]
            self._listening.set()
            await self._ended.wait()
        finally:
            await runner.cleanup()


@contextmanager
def simulated(command: str, *options: str) -> Iterator[Simulated]:
    """`simulate_router` or `simulate_registry` with these options, on a free port unless they name one."""
    served = load_command_class("routing", command)
    given: Mapping[str, Any] = vars(
        served.create_parser("manage.py", command).parse_args(["--port", "0", *options])
    )
    apps: list[web.Application] = []
    served.run = lambda app, _: apps.append(app)
    served.handle(**given)
    running = Simulated(apps[0], given["port"])
    try:
        yield running
    finally:
        running.stop()


def simulated_router() -> AbstractContextManager[Simulated]:
    return simulated("simulate_router")


def simulated_registry(services: Mapping[str, str], *, port: int = 0) -> AbstractContextManager[Simulated]:
    """`services`: name → endpoint."""
    known = [f"--service={name}={endpoint}" for name, endpoint in services.items()]
    return simulated("simulate_registry", f"--port={port}", *known)
