"""A server of each kind of store, for the tests of the port: how to open it, and what it says of a record."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aerospike
import psycopg
import redis

from order_entry_project.embedded.processes import Child
from orders.sql import Sql
from orders.stores.aerospike import AerospikeStore
from orders.stores.port import Record, Store
from orders.stores.postgresql import PostgresStore
from orders.stores.redis import RedisStore
from tests.doubles.aerospike.cluster import Cluster
from tests.ports import free_port
from tests.servers.binaries import installed

DAY = 86_400


def new_key(kind: str = "orderStatus") -> str:
    """A key that no other test has."""
    return f"{kind}:{uuid.uuid4()}"


def record(key: str, version: int = 1, *, ttl: int | None = DAY, **bins: str | int | None) -> Record:
    return Record(key, bins or {"status": "PLACED"}, version, ttl)


@dataclass
class PostgresBench:
    """`env`: what makes a process of its own use the same store."""

    connection: psycopg.Connection
    env: dict[str, str]
    opened: list[Sql] = field(default_factory=list)

    def open(self, timeout: float = 2.0) -> Store:
        self.opened.append(Sql(patience=timeout))
        return PostgresStore(self.opened[-1].run)

    def close(self) -> None:
        for sql in self.opened:
            sql.close()

    def seconds_left(self, key: str) -> float | None:
        statement = "SELECT extract(epoch FROM expires_at - now()) FROM store_records WHERE key = %s"
        (left,) = self.connection.execute(statement, [key]).fetchone()
        return None if left is None else float(left)


@dataclass
class RedisBench:
    """`pid` of the server, which only a test that has it for itself may harm."""

    port: int
    pid: int

    @property
    def env(self) -> dict[str, str]:
        return {"ORDER_ENTRY__CACHE__STORE": "redis", "ORDER_ENTRY__REDIS__URL": self.url}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def open(self, timeout: float = 2.0) -> Store:
        return RedisStore(self.url, timeout=timeout)

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def seconds_left(self, key: str) -> float | None:
        with self.client() as client:
            left = client.pttl(key)
        assert left != -2, f"there is no {key}"
        return None if left == -1 else left / 1000


@dataclass
class AerospikeBench:
    """`hosts`: host:port of a real server, or of the double."""

    hosts: list[str]
    namespace: str = "orders_ns"

    @property
    def env(self) -> dict[str, str]:
        return {
            "ORDER_ENTRY__AEROSPIKE__SEED_HOSTS": json.dumps(self.hosts),
            "ORDER_ENTRY__AEROSPIKE__NAMESPACE": self.namespace,
        }

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [(host, int(port)) for host, _, port in (text.partition(":") for text in self.hosts)]

    def open(self, timeout: float = 2.0) -> Store:
        return AerospikeStore(self.addresses, namespace=self.namespace, timeout=timeout, replication_factor=1)

    def seconds_left(self, key: str) -> float | None:
        client = aerospike.client({"hosts": self.addresses})
        try:
            _, meta = client.exists((self.namespace, key.partition(":")[0], key))
        finally:
            client.close()
        assert meta is not None, f"there is no {key}"
        return None if meta["ttl"] == aerospike.TTL_NEVER_EXPIRE else float(meta["ttl"])


class AerospikeOutage:
    """The double, as a server that a test may harm."""

    def __init__(self, cluster: Cluster) -> None:
        (self._node,) = cluster.nodes
        self.start = self._node.start
        self.kill = self._node.kill
        self.hang = self._node.hang
        self.go_on = self._node.go_on

    def open(self, timeout: float, *, port: int | None = None) -> Store:
        """A store on this server, or on another `port`."""
        hosts = [("127.0.0.1", port or self._node.port)]
        return AerospikeStore(hosts, namespace="orders_ns", timeout=timeout, replication_factor=1)


class PrivateRedis:
    """A Redis that a test may kill, hang and start again; on `port` throughout."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._child: Child | None = None

    def open(self, timeout: float, *, port: int | None = None) -> Store:
        """A store on this server, or on another `port`."""
        return RedisStore(f"redis://127.0.0.1:{port or self.port}", timeout=timeout)

    def start(self) -> None:
        binary = installed("redis-server", package="redis-server")
        argv = [binary, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", self._folder]
        self._child = Child(argv, name="Redis", log=self._folder / "redis.log", stop=signal.SIGKILL)
        self._child.await_port(self.port, patience=10)

    def kill(self) -> None:
        if self._child:
            self._child.stop(10)
            self._child = None

    def hang(self) -> None:
        os.kill(self._child.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._child.pid, signal.SIGCONT)


@contextmanager
def private_redis(folder: Path) -> Iterator[PrivateRedis]:
    server = PrivateRedis(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
