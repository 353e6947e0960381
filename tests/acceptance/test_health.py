"""What `/health` of a running web process says while its neighbours fail, each behind a line that can be cut."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.acceptance.test_web import web
from tests.doubles.aerospike.cluster import Cluster
from tests.servers.postgres import fresh_database
from tests.simulated import simulated_registry
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

COMPONENTS = ("mq", "sql", "aerospike", "service_registry")
# What is down → the status of the whole, and of the answer.
CONSEQUENCES = {
    "mq": ("DOWN", 503),
    "sql": ("DOWN", 503),
    "aerospike": ("DEGRADED", 200),
    "service_registry": ("DEGRADED", 200),
}
PROCESSES = 2


@dataclass
class Instance:
    """A web process of `PROCESSES` at `url`; `lines`: to its neighbours, by component."""

    url: str
    lines: Mapping[str, TcpProxy]

    def says(self) -> tuple[int, list[tuple[str, object]], list[tuple[str, str]]]:
        """Code, keys and values, components: in their order."""
        answer = requests.get(f"{self.url}/health", timeout=10)
        document = answer.json()
        return answer.status_code, list(document.items()), list(document["components"].items())

    def await_down(self, component: str | None, *, within: float = 5.0) -> None:
        """Until `component` alone is down, or none, at each of several askings: every process says so."""
        status, code = CONSEQUENCES[component] if component else ("UP", 200)
        states = {name: "DOWN" if name == component else "UP" for name in COMPONENTS}
        expected = code, [("status", status), ("components", states)], list(states.items())
        wait_until(
            lambda: all(self.says() == expected for _ in range(2 * PROCESSES)),
            what=f"{component or 'nothing'} is said to be down and not {self.says()}",
            patience=within,
        )


@contextmanager
def instance(postgresql: str, broker: str, folder: Path, **store: str) -> Iterator[Instance]:
    """`store`: the configuration of the status cache."""
    with ExitStack() as stack:
        database = stack.enter_context(fresh_database(postgresql))
        registry = stack.enter_context(simulated_registry({"order-router": "http://127.0.0.1:8082"}))
        lines = {
            "mq": stack.enter_context(TcpProxy(int(broker.rpartition(":")[2]))),
            "sql": stack.enter_context(TcpProxy(f"{database.host}/.s.PGSQL.5432")),
            "aerospike": stack.enter_context(TcpProxy(int(store.pop("port")))),
            "service_registry": stack.enter_context(TcpProxy(registry.port)),
        }
        behind = {
            "MQ__BROKER_URL": f"{broker.rpartition(':')[0]}:{lines['mq'].port}",
            "DATABASE__SQL_HOST": "127.0.0.1",
            "DATABASE__SQL_PORT": str(lines["sql"].port),
            "SERVICE_REGISTRY__ENDPOINT": f"127.0.0.1:{lines['service_registry'].port}",
            **{key: value.format(port=lines["aerospike"].port) for key, value in store.items()},
        }
        env = database.env | {f"ORDER_ENTRY__{key}": value for key, value in behind.items()}
        url = stack.enter_context(web(env, folder, WEB_CONCURRENCY=str(PROCESSES)))
        made = Instance(url, lines)
        made.await_down(None, within=15)
        yield made


@pytest.fixture(scope="module")
def on_redis(postgresql, rabbitmq, redis_server, django_db_setup, tmp_path_factory):
    store = {"CACHE__STORE": "redis", "REDIS__URL": "redis://127.0.0.1:{port}"}
    folder = tmp_path_factory.mktemp("web")
    with instance(postgresql, rabbitmq.url, folder, port=str(redis_server.port), **store) as made:
        yield made


def test_each_neighbour_that_dies_is_said_to_be_down_within_seconds_and_up_again(on_redis):
    for component, line in on_redis.lines.items():
        line.refuse()
        on_redis.await_down(component)
        line.accept()
        on_redis.await_down(None)


@pytest.mark.long
def test_each_neighbour_that_hangs_is_said_to_be_down_within_seconds_and_up_again(on_redis):
    for component, line in on_redis.lines.items():
        line.freeze()
        on_redis.await_down(component)
        line.thaw()
        on_redis.await_down(None)


@pytest.mark.long
def test_a_cluster_that_dies_or_hangs_is_said_to_be_down_within_seconds_and_up_again(
    postgresql, rabbitmq, django_db_setup, tmp_path
):
    with Cluster.running() as cluster:
        (node,) = cluster.nodes
        store = {"AEROSPIKE__SEED_HOSTS": f'["127.0.0.1:{node.port}"]', "port": str(node.port)}
        with instance(postgresql, rabbitmq.url, tmp_path, **store) as made:
            for harm, mend in ((node.kill, node.start), (node.hang, node.go_on)):
                harm()
                made.await_down("aerospike")
                mend()
                made.await_down(None, within=10)


@pytest.mark.long
def test_a_storm_of_probes_asks_each_neighbour_once_a_second_and_process(on_redis):
    # What an outage before has left broken in the processes' pools is replaced when it is used.
    with ThreadPoolExecutor(50) as probes:
        list(probes.map(lambda _: on_redis.says(), range(200)))
    for hanging in (None, "service_registry"):
        if hanging:
            on_redis.lines[hanging].freeze()
        asked = {name: line.accepted for name, line in on_redis.lines.items()}
        began = time.monotonic()
        with ThreadPoolExecutor(50) as probes:
            answers = list(probes.map(lambda _: on_redis.says(), range(500)))
        took = time.monotonic() - began
        assert {code for code, *_ in answers} == {200}
        for name, line in on_redis.lines.items():
            assert line.accepted - asked[name] <= PROCESSES * (took + 2), name
        # Probes are served from what is known: without that, these would take 500 s of waiting.
        assert took < 15
        on_redis.lines["service_registry"].thaw()
        on_redis.await_down(None)
