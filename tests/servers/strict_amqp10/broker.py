"""The broker: its queues, who is connected, and what the tests do to it from outside."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.strict_amqp10.connection import Connection
from tests.servers.strict_amqp10.links import Outgoing
from tests.servers.strict_amqp10.messages import Stored
from tests.servers.strict_amqp10.queues import Queue


@dataclass
class Options:
    """`users`: passwords by name. `idle_timeout`: seconds. `max_message`: bytes. `credit`: sends ahead of outcomes.

    `certificate`, `authority`: PEM files; with them it speaks TLS, and demands a certificate of `authority`.
    """

    port: int
    control: str
    users: Mapping[str, str] = field(default_factory=lambda: {"guest": "guest"})
    anonymous: bool = True
    idle_timeout: float = 30
    max_message: int = 1 << 24
    credit: int = 1000
    certificate: str | None = None
    authority: str | None = None


class Broker:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.queues: dict[str, Queue] = {}
        self.connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._waking = False

    async def run(self) -> None:
        await self.accept()
        control = Path(self.options.control)
        # In one step: who finds it can use it.
        await asyncio.start_unix_server(self._serve, f"{control}.new", limit=1 << 28)
        os.replace(f"{control}.new", control)  # noqa: PTH105 - a socket
        await asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Hand out what is ready, and send what there is to say, once this turn's news are all in."""
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        self._waking = False
        for queue in self.queues.values():
            queue.dispatch()
            for taker in queue.takers:
                if isinstance(taker, Outgoing):
                    taker.browse()
        for connection in list(self.connections):
            connection.flush()

    # What is asked through the control socket: methods by name, their arguments as JSON.

    async def declare(self, queue: str, limit: int | None = None) -> None:
        """A queue that is there keeps what it holds."""
        self.queues.setdefault(queue, Queue(queue)).limit = limit

    async def delete(self, queue: str) -> None:
        if gone := self.queues.pop(queue, None):
            for link in [*gone.takers, *gone.feeders]:
                link.end("amqp:resource-deleted", f"queue {queue} was deleted")

    async def put(self, queue: str, messages: list[str]) -> None:
        """`messages`: encoded as AMQP has it, in base64; nobody asks whether a client could have sent them."""
        for raw in messages:
            self.queues[queue].put(Stored(base64.b64decode(raw)))
        self.wake()

    async def take(self, queue: str, most: int = 1 << 30) -> list[str]:
        """What is ready, out of the queue."""
        ready = self.queues[queue].ready
        return [base64.b64encode(ready.popleft()[1].encoded()).decode() for _ in range(min(most, len(ready)))]

    async def depth(self, queue: str) -> dict[str, int]:
        found = self.queues[queue]
        return {"ready": len(found.ready), "held": found.held}

    async def stop_sending(self, queue: str, stopped: bool) -> None:
        """Grant no credit to those who send to `queue`, until told otherwise."""
        self.queues[queue].stopped = stopped
        for feeder in self.queues[queue].feeders:
            feeder.grant()  # type: ignore[attr-defined]
        self.wake()

    async def who(self) -> list[dict[str, Any]]:
        """Who is connected."""
        return [connection.describe() for connection in self.connections]

    async def cut(self) -> None:
        """End all connections, without a word."""
        for connection in list(self.connections):
            connection.abort()

    async def crash(self) -> None:
        """As if the queue manager had ended: what is not durable is gone, nobody listens until `accept`."""
        if self._server:
            self._server.close()
            self._server = None
        await self.cut()
        for queue in self.queues.values():
            queue.forget_what_is_not_durable()

    async def accept(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self), "127.0.0.1", self.options.port, ssl=self._tls(), backlog=512
        )

    def _tls(self) -> ssl.SSLContext | None:
        if self.options.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.options.certificate)
        if self.options.authority:
            context.load_verify_locations(self.options.authority)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            try:
                answer = {"answer": await getattr(self, asked.pop("do"))(**asked)}
            except Exception as error:  # noqa: BLE001 - told to the test that asked
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()
