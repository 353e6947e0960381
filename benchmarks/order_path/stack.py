"""The private stack that the contenders run on: real servers on loopback, their data on a disk.

It ends with the process that started it, however that ends, and leaves no folder behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
import psycopg
from psycopg import sql

from order_entry_project.config import BASE_DIR
from order_entry_project.embedded.postgres import USER, EmbeddedPostgres
from order_entry_project.embedded.processes import Child
from order_entry_project.embedded.simulators import port_told
from tests.ports import free_port
from tests.servers import rabbitmq, redis
from tests.servers.binaries import installed

QUEUE, ROUTED = "TRADE.VALIDATED.ORDERS", "TRADE.ROUTED.ORDERS"
MIGRATED = "migrated"
_NOT_A_DISK = ("tmpfs", "ramfs")
_MEMORY = 256  # MB of PostgreSQL's own cache
_POSTGRESQL = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": f"{_MEMORY}MB",
    "max_wal_size": "4GB",
    # Checkpoints come before the runs, not within them.
    "checkpoint_timeout": "30min",
    # Nor does a vacuum fall into one run and not into another.
    "autovacuum_naptime": "1h",
    "shared_preload_libraries": "pg_stat_statements",
    "log_min_messages": "error",
}
_PLUGINS = "[rabbitmq_amqp1_0]."
_NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /route {{ default_type application/json; return 200 '{{"route": "NASDAQ-EXECUTION-1"}}'; }}
        location = /v1/traces {{ default_type application/x-protobuf; return 200; }}
    }}
}}
"""


@dataclass
class Stack:
    """A running stack. `router` is a URL, without /route; `components`: name → process that its others descend from."""

    folder: Path
    server: EmbeddedPostgres
    broker: rabbitmq.Broker
    redis_port: int
    router: str
    registry: str
    components: dict[str, int] = field(default_factory=dict)

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}"

    def sql(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.server.socket}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommit connection."""
        return self.server.connect(database)

    def env(self, database: str) -> dict[str, str]:
        """What makes a process of the service use this stack: everything of it that a deployment would turn on."""
        settings = {
            "MQ__BROKER_URL": self.broker.url,
            "MQ__CONSUMER_QUEUE": QUEUE,
            "MQ__PRODUCER_QUEUE": ROUTED,
            "DATABASE__SQL_HOST": str(self.server.socket),
            "DATABASE__SQL_USER": USER,
            "DATABASE__SQL_DATABASE": database,
            "CACHE__STORE": "redis",
            "IDEMPOTENCY__STORE": "redis",
            "REDIS__URL": self.redis,
            "SERVICE_REGISTRY__ENDPOINT": self.registry,
            "TELEMETRY__METRICS_PORT": str(free_port()),
            "TELEMETRY__OTLP_ENDPOINT": self.router,
            "TELEMETRY__SAMPLING_RATIO": "0.01",
            "LOGS__FOLDER": str(self.folder / "logs"),
            "SERVICE__BIND": "127.0.0.1",
        }
        return (
            _environment()
            | {"PYTHONPATH": str(BASE_DIR)}
            | {f"ORDER_ENTRY__{name}": value for name, value in settings.items()}
        )

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.broker.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def create_database(self, name: str) -> None:
        """A migrated one."""
        self.server.create_database(name, template=MIGRATED)


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """A running one in a new folder within `folder`."""
    with ExitStack() as running:
        run = running.enter_context(_run_folder(folder))
        (run / "logs").mkdir()
        server = running.enter_context(EmbeddedPostgres(run / "pg", settings=_POSTGRESQL))
        told: dict[str, Any] = running.enter_context(rabbitmq.broker(run, plugins=_PLUGINS))
        broker = rabbitmq.Broker(**told)
        cache = redis.Redis(**running.enter_context(redis.server(run)))
        router, port = running.enter_context(_router(run))
        registry = running.enter_context(_registry(run, f"http://127.0.0.1:{port}"))
        made = Stack(run, server, broker, cache.port, f"http://127.0.0.1:{port}", registry)
        made.components = {
            "PostgreSQL": server.pid,
            "broker": broker.pid,
            "Redis": cache.pid,
            "router": router.pid,
        }
        _migrate(made)
        with made.channel() as channel:
            for queue in (QUEUE, ROUTED):
                channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        yield made


def _environment() -> dict[str, str]:
    """This process's, less what configures another deployment."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ORDER_ENTRY")}


@contextmanager
def _run_folder(parent: Path) -> Iterator[Path]:
    """Removed in the end, whatever that is: a shell waits for the pipe to it to close."""
    kind = subprocess.run(
        ["stat", "--file-system", "--format=%T", parent], capture_output=True, text=True, check=True
    ).stdout.strip()
    if kind in _NOT_A_DISK:
        raise SystemExit(
            f"{parent} is a {kind}: nothing there survives, so fsync costs nothing. Name a folder on a disk."
        )
    folder = Path(tempfile.mkdtemp(prefix="oe-bench-", dir=parent))
    remover = subprocess.Popen(
        ["sh", "-c", 'cat >/dev/null; for wait in 0 1 2 4; do sleep $wait; rm -rf -- "$0"; done', folder],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        remover.kill()
        remover.communicate()


@contextmanager
def _router(folder: Path) -> Iterator[tuple[Child, int]]:
    """nginx, which names one route for every order and takes traces: neither is to cost much."""
    nginx, port = installed("nginx", package="nginx-light"), free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port))
    argv = [nginx, "-c", str(configuration), "-p", str(folder), "-e", str(folder / "nginx.log")]
    with Child.running(argv, name="nginx", log=folder / "nginx.out") as child:
        child.await_port(port, patience=10)
        yield child, port


@contextmanager
def _registry(folder: Path, router: str) -> Iterator[str]:
    told = folder / "registry.port"
    argv = [sys.executable, str(BASE_DIR / "manage.py"), "simulate_registry"]
    argv += ["--port", "0", "--port-file", str(told), "--service", f"order-router={router}"]
    with Child.running(
        argv,
        name="registry",
        log=folder / "registry.log",
        env=_environment(),
    ) as child:
        yield f"127.0.0.1:{port_told(told, child)}"


def _migrate(made: Stack) -> None:
    made.server.create_database(MIGRATED)
    subprocess.run(
        [sys.executable, BASE_DIR / "manage.py", "migrate", "--verbosity=0", "--skip-checks"],
        env=made.env(MIGRATED),
        check=True,
    )
    with made.connect(MIGRATED) as connection:
        connection.execute(sql.SQL("CREATE EXTENSION pg_stat_statements"))
