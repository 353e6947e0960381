"""A TCP proxy between a client and a server of a test: the line that can be cut, go silent or be refused."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self

_FAREWELL = 2.0  # seconds


class TcpProxy:
    """Passes `port` of loopback on to `target`, both ways: port of loopback, host and port, or path of a Unix socket.

    `tls`: clients speak TLS with it, and what they say is passed on plainly; another one holds from `accept` on.
    """

    def __init__(self, target: int | str | tuple[str, int], *, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self.tls = tls
        self.accepted = 0  # connections so far
        self._listening: asyncio.Server
        self._ends: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any] | None] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._ready = threading.Event()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def cut(self) -> None:
        """End all connections, at once and without a word."""
        self._do(self._cut())

    def freeze(self) -> None:
        """Connections stay, and new ones are made; nothing gets through."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def thaw(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.set)

    def refuse(self) -> None:
        """End all connections and refuse new ones, until `accept`."""
        self._do(self._refuse())

    def accept(self) -> None:
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    # On the thread.

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()
        await self._listen()
        self._ready.set()
        await self._ended.wait()
        self._flowing.set()
        await self._refuse()
        if self._serving:
            # Each closes what it has opened.
            await asyncio.wait(self._serving, timeout=_FAREWELL)

    async def _listen(self) -> None:
        self._listening = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, backlog=1024, ssl=self.tls
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        self._listening.close()
        await self._cut()

    async def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        self._ends.add(near)
        self.accepted += 1
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._pass_both_ways(reader, near)
        finally:
            self._serving.discard(task)

    async def _pass_both_ways(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        try:
            answers, far = await self._reach()
        except OSError:
            near.transport.abort()
            self._ends.discard(near)
            return
        self._ends.add(far)
        ways = [asyncio.create_task(self._pass_on(*way)) for way in ((reader, far), (answers, near))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (near, far):
            self._ends.discard(end)
            end.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        host, port = ("127.0.0.1", self._target) if isinstance(self._target, int) else self._target
        return await asyncio.open_connection(host, port)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
