"""What the simulated servers share: dials over HTTP, and running until told to end."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from routing.simulators.dials import Dials


def answer(document: Any, *, status: int = 200) -> web.Response:
    """`document` as JSON."""
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")


def fault(status: int, detail: str) -> web.Response:
    return answer({"detail": detail}, status=status)


class Panel:
    """The dials of a running server, and the chance they are drawn with."""

    def __init__(self, dials: Dials, *, seed: int | None) -> None:
        self._dials = dials
        self._chance = random.Random(seed)  # noqa: S311 - a simulation, repeatable by its seed

    def routes(self) -> list[web.RouteDef]:
        """`GET` and `PUT /dials`, `GET /health`."""
        return [
            web.get("/health", self._health),
            web.get("/dials", self._show),
            web.put("/dials", self._turn),
        ]

    def draw(self) -> str | None:
        """What befalls the next request: the name of a rate, or None."""
        return self._dials.draw(self._chance.random())

    async def wait(self) -> None:
        """As long as the dials say an answer takes."""
        seconds = (self._dials.latency_ms + self._dials.jitter_ms * self._chance.random()) / 1000
        if seconds:
            await asyncio.sleep(seconds)

    async def _health(self, _: web.Request) -> web.Response:
        return answer({"status": "UP"})

    async def _show(self, _: web.Request) -> web.Response:
        return answer(self._dials.model_dump())

    async def _turn(self, request: web.Request) -> web.Response:
        try:
            self._dials = self._dials.turned(await request.read())
        except ValueError as error:
            return fault(422, str(error))
        return answer(self._dials.model_dump())


def serve(
    app: web.Application, *, host: str, port: int, port_file: Path | None, on_listening: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT. `on_listening(url)` once; port 0 takes a free one.

    `port_file` is there, with the port in it, exactly while the server listens. Raises `OSError`.
    """
    asyncio.run(_serve(app, host, port, port_file, on_listening))


async def _serve(
    app: web.Application, host: str, port: int, port_file: Path | None, on_listening: Callable[[str], None]
) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # A request whose client has gone ends; at the end, those that hang are not waited for.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=4096)
        await site.start()
        listening = runner.addresses[0][1]
        if port_file:
            _write(port_file, f"{listening}\n")
        on_listening(f"http://{host}:{listening}")
        await ended.wait()
    finally:
        if port_file:
            port_file.unlink(missing_ok=True)  # noqa: ASYNC240 - nothing else is left to be done
        await runner.cleanup()


def _write(path: Path, text: str) -> None:
    """In one step: nobody reads half a file."""
    written = path.with_name(f".{path.name}.{os.getpid()}")
    written.write_text(text)
    written.replace(path)
