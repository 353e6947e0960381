"""All that a run consists of: servers of its own, lines that can be cut, workers, load, a reader downstream."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from orders.status_cache import StatusCache
from orders.stores.redis import RedisStore
from tests.acceptance.system import System, system
from tests.chaos.downstream import Downstream
from tests.chaos.load import Load
from tests.chaos.servers import Postgres, RabbitMQ
from tests.chaos.traffic import traffic
from tests.chaos.workers import Workers
from tests.servers import redis
from tests.simulated import Simulated
from tests.tcp_proxy import TcpProxy

DRAIN_TIMEOUT = 10  # seconds
# Every wait of the service bounded tightly, so that a minute holds many outages and their ends.
_SETTINGS = {
    "MQ__HEARTBEAT": "5s",
    "MQ__PUBLISH_GRACE": "1s",
    "MQ__REPUBLISH_AFTER": "3s",
    "ROUTER__TIMEOUT": "1s",
    "ROUTER__CLAIM": "6s",
    "SERVICE_REGISTRY__LOOKUP_INTERVAL": "1s",
    "SERVICE_REGISTRY__TIMEOUT": "500ms",
    "SERVICE__DRAIN_TIMEOUT": f"{DRAIN_TIMEOUT}s",
    "CACHE__STORE": "redis",
    "REDIS__TIMEOUT": "200ms",
}


@dataclass
class World:
    """`…_line`: what the service reaches a neighbour through."""

    system: System
    postgres: Postgres
    broker: RabbitMQ
    store_line: TcpProxy
    router: Simulated
    router_line: TcpProxy
    registry: Simulated
    registry_line: TcpProxy
    workers: Workers
    load: Load
    downstream: Downstream
    cache: StatusCache

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self.system.rows(statement)


@contextmanager
def world(folder: Path, *, seed: int, rate: float, amqp10: bool) -> Iterator[World]:
    """Everything running except load and workers. `rate`: messages a second. `amqp10`: what the service speaks."""
    with ExitStack() as stack:
        # Its thread has to last: a child ends with the thread that started it.
        starting = stack.enter_context(ThreadPoolExecutor(1))
        brokers = RabbitMQ.running(folder)
        broker = starting.submit(brokers.__enter__)
        stack.callback(lambda: broker.exception() or brokers.__exit__(None, None, None))
        postgres = Postgres(folder)
        stack.callback(postgres.close)
        postgres.migrate()
        store_port = stack.enter_context(redis.server(folder))["port"]
        made = stack.enter_context(
            _wired(postgres, broker.result(), store_port, folder, seed=seed, rate=rate)
        )
        if amqp10:
            made.system.env["ORDER_ENTRY__MQ__BROKER_URL"] = made.broker.amqp10_url
            made.system.env["ORDER_ENTRY__MQ__DECLARE"] = "false"
        yield made


@contextmanager
def _wired(
    postgres: Postgres, broker: RabbitMQ, store_port: int, folder: Path, *, seed: int, rate: float
) -> Iterator[World]:
    with ExitStack() as stack:
        made = stack.enter_context(system(postgres.database, folder, broker=broker.url, **_SETTINGS))
        store = stack.enter_context(TcpProxy(store_port))
        router = stack.enter_context(TcpProxy(made.router.port))
        registry = stack.enter_context(TcpProxy(made.registry.port))
        entry = {"endpoint": f"http://127.0.0.1:{router.port}"}
        requests.put(f"{made.registry.url}/services/order-router", json=entry, timeout=10).raise_for_status()
        made.env["ORDER_ENTRY__SERVICE_REGISTRY__ENDPOINT"] = f"127.0.0.1:{registry.port}"
        made.env["ORDER_ENTRY__REDIS__URL"] = f"redis://127.0.0.1:{store.port}"
        workers = Workers(made.env, folder)
        stack.callback(workers.kill_all)
        downstream = Downstream(broker.url, made.routed)
        stack.callback(downstream.end)
        downstream.start()
        load = Load(broker.url, made.queue, traffic(seed), rate=rate)
        cache = StatusCache(
            RedisStore(f"redis://127.0.0.1:{store_port}", timeout=5),
            key_pattern="orderStatus:{orderId}",
            ttl=3600,
            max_age=60,
        )
        stack.callback(cache.store.close)
        yield World(
            made,
            postgres,
            broker,
            store,
            made.router,
            router,
            made.registry,
            registry,
            workers,
            load,
            downstream,
            cache,
        )
