"""A cluster of nodes on loopback, and the means to make them fail."""

from __future__ import annotations

import asyncio
import base64
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.doubles.aerospike import wire
from tests.doubles.aerospike.records import Records
from tests.ports import free_port

_PARTITIONS = 4096
_PATIENCE = 10


class Node:
    """One server. `tls_name`: the name in its certificate, given to the peers."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.name = f"BB9{number:013X}"
        self.port = free_port()
        # Of a batch's answers only so many are given before the connection ends; None: all.
        self.answers_before_cut: int | None = None
        self.batches = 0
        self._cluster = cluster
        self._number = number
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._going = asyncio.Event()
        self._going.set()

    @property
    def up(self) -> bool:
        return self._server is not None

    def start(self) -> None:
        """Listen, on the port it always had."""
        self._cluster.run(self._start())

    def kill(self) -> None:
        """End all connections and refuse new ones."""
        self._cluster.run(self._kill())

    def hang(self) -> None:
        """Keep connections and take new ones, and answer nothing."""
        self._cluster.run(self._set_going(False))

    def go_on(self) -> None:
        self._cluster.run(self._set_going(True))

    async def _set_going(self, going: bool) -> None:
        self._going.set() if going else self._going.clear()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, ssl=self._cluster.tls, limit=1 << 27
        )

    async def _kill(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        self._server = None
        self._going.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await reader.readexactly(8)
                body = await reader.readexactly(int.from_bytes(header[2:], "big"))
                await self._going.wait()
                writer.write(self._info(body) if header[1] == wire.INFO else self._message(body, writer))
                await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _message(self, body: bytes, writer: asyncio.StreamWriter) -> bytes:
        is_batch, requests = wire.requests(body)
        if not is_batch:
            return wire.frame(wire.MESSAGE, wire.answer(self._cluster.records.do(requests[0])))
        self.batches += 1
        done = requests[: self.answers_before_cut]
        answers = [wire.answer(self._cluster.records.do(request), index=request.index) for request in done]
        if self.answers_before_cut is None:
            return wire.frame(wire.MESSAGE, b"".join(answers) + wire.end_of_batch())
        # What was asked of the rest is not done, and nobody says so.
        self._cluster.loop.call_soon(writer.close)
        return wire.frame(wire.MESSAGE, b"".join(answers))

    def _info(self, body: bytes) -> bytes:
        names = body.decode().split("\n")
        lines = [f"{name}\t{self._fact(name)}\n" for name in names if name]
        return wire.frame(wire.INFO, "".join(lines).encode())

    def _fact(self, name: str) -> str:
        cluster = self._cluster
        if name.startswith("peers-"):
            return self._peers() if name != "peers-generation" else str(cluster.generation)
        facts: dict[str, Callable[[], str]] = {
            "node": lambda: self.name,
            "build": lambda: "8.1.0.0",
            "partitions": lambda: str(_PARTITIONS),
            "partition-generation": lambda: str(cluster.generation),
            "replicas": lambda: cluster.partition_map(self._number),
            f"namespace/{cluster.records.namespace}": cluster.namespace_facts,
        }
        if name.startswith("user-agent-set"):
            return "ok"
        return facts[name]() if name in facts else "ERROR:4:unknown"

    def _peers(self) -> str:
        cluster = self._cluster
        others = [node for node in cluster.members if node is not self]
        listed = ",".join(f"[{node.name},{cluster.tls_name},[127.0.0.1:{node.port}]]" for node in others)
        return f"{cluster.generation},3000,[{listed}]"


class Cluster:
    """`nodes` that share their records, as if replicated at once. `tls`: a server's context, else plain TCP.

    `members` are the nodes the others count in: a dead one stays a member until `leave` is called.
    """

    def __init__(
        self,
        nodes: int = 1,
        *,
        namespace: str = "orders_ns",
        tls: ssl.SSLContext | None = None,
        tls_name: str = "",
    ) -> None:
        self.records = Records(namespace)
        self.tls = tls
        self.tls_name = tls_name
        self.replication_factor = min(nodes, 2)
        self.generation = 1
        self.loop = asyncio.new_event_loop()
        self.nodes = [Node(self, number) for number in range(nodes)]
        self.members = list(self.nodes)
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    @classmethod
    @contextmanager
    def running(cls, nodes: int = 1, **options: Any) -> Iterator[Cluster]:
        cluster = cls(nodes, **options)
        cluster._thread.start()
        try:
            for node in cluster.nodes:
                node.start()
            yield cluster
        finally:
            for node in cluster.nodes:
                node.kill()
            cluster.run(cluster._drain())
            cluster.loop.call_soon_threadsafe(cluster.loop.stop)
            cluster._thread.join(_PATIENCE)
            cluster.loop.close()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it on the cluster's own thread."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE)

    def leave(self, node: Node) -> None:
        """The others find that a node is gone and take its partitions over."""
        self.members = [member for member in self.members if member is not node]
        self.generation += 1

    def join(self, node: Node) -> None:
        self.members.append(node)
        self.generation += 1

    def partition_map(self, number: int) -> str:
        """Which partitions a node is master of, and which it keeps the copies of."""
        numbers = [member._number for member in self.members]
        if number not in numbers:
            return ""
        mine = numbers.index(number)
        copies = range(min(self.replication_factor, len(numbers)))
        maps = [_bitmap(lambda p, copy=copy: (p + copy) % len(numbers) == mine) for copy in copies]
        return f"{self.records.namespace}:0,{len(maps)},{','.join(maps)};"

    def namespace_facts(self) -> str:
        effective = min(self.replication_factor, len(self.members))
        return (
            f"ns_cluster_size={len(self.members)};effective_replication_factor={effective};"
            f"replication-factor={self.replication_factor};nsup-period={self.records.nsup_period};"
            "allow-ttl-without-nsup=false"
        )

    async def _drain(self) -> None:
        """Let what was cut off come to its end."""
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bitmap(owned: Callable[[int], bool]) -> str:
    bits = bytearray(_PARTITIONS // 8)
    for partition in range(_PARTITIONS):
        if owned(partition):
            bits[partition >> 3] |= 0x80 >> (partition & 7)
    return base64.b64encode(bits).decode()
