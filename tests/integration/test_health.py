from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.db import connection
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable

from order_entry_project import health, neighbours
from order_entry_project.health import Health, HealthView, ReadyView, overall
from tests.ports import free_port
from tests.simulated import simulated_registry

COMPONENTS = ["mq", "sql", "aerospike", "service_registry"]


@dataclass
class Answering(HealthCheck):
    timeout = neighbours.Sql.timeout
    up: bool = True
    asked: int = 0

    def run(self) -> None:
        self.asked += 1
        if not self.up:
            raise ServiceUnavailable("told to be down")


@dataclass
class Hanging(HealthCheck):
    timeout = neighbours.Sql.timeout
    released: threading.Event = field(default_factory=threading.Event, repr=False)
    asked: int = 0

    def run(self) -> None:
        self.asked += 1
        self.released.wait(30)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    check = Hanging()
    yield check
    check.released.set()


def all_up() -> dict[str, HealthCheck]:
    return {name: Answering() for name in COMPONENTS}


def all_but(name: str) -> Health:
    return Health(all_up() | {name: Answering(up=False)})


class TestHealth:
    def test_the_answer_has_exactly_the_spec_s_shape(self, client, monkeypatch):
        monkeypatch.setattr(HealthView, "health", Health(all_up()))
        response = client.get("/health")
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert list(response.json().items()) == [
            ("status", "UP"),
            ("components", dict.fromkeys(COMPONENTS, "UP")),
        ]
        assert list(response.json()["components"]) == COMPONENTS

    @pytest.mark.parametrize(
        ("down", "status", "code"),
        [
            ("mq", "DOWN", 503),
            ("sql", "DOWN", 503),
            ("aerospike", "DEGRADED", 200),
            ("service_registry", "DEGRADED", 200),
        ],
    )
    def test_what_is_down_decides_the_status(self, client, monkeypatch, down, status, code):
        monkeypatch.setattr(HealthView, "health", all_but(down))
        response = client.get("/health")
        assert (response.status_code, response.json()["status"]) == (code, status)
        assert response.json()["components"] == dict.fromkeys(COMPONENTS, "UP") | {down: "DOWN"}

    def test_everything_down_is_down(self):
        assert overall(dict.fromkeys(COMPONENTS, False)) == "DOWN"

    def test_it_is_open_and_tells_no_more(self, client, monkeypatch):
        monkeypatch.setattr(HealthView, "health", all_but("sql"))
        assert (
            b"told to be down"
            not in client.get("/health", headers={"Authorization": "Basic nonsense"}).content
        )

    @pytest.mark.parametrize("accept", ["text/plain", "text/html", "nonsense"])
    def test_a_probe_that_accepts_something_else_gets_its_answer(self, client, monkeypatch, accept):
        monkeypatch.setattr(HealthView, "health", Health(all_up()))
        assert client.get("/health", headers={"Accept": accept}).json()["status"] == "UP"

    def test_head_gives_the_status_alone(self, client, monkeypatch):
        monkeypatch.setattr(HealthView, "health", all_but("sql"))
        response = client.head("/health")
        assert (response.status_code, response.content) == (503, b"")

    def test_it_can_only_be_read(self, client):
        response = client.post("/health")
        assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")

    def test_probes_do_not_wait_for_a_neighbour_that_hangs(self, hanging):
        checks = all_up() | {"service_registry": hanging}
        began = time.monotonic()
        states = Health(checks).states()
        assert time.monotonic() - began < 1.5
        assert states == dict.fromkeys(COMPONENTS, True) | {"service_registry": False}

    def test_a_neighbour_that_hangs_is_not_asked_again_before_it_has_answered(self, hanging, monkeypatch):
        monkeypatch.setattr(health, "FRESH", 0)
        asked = Health({"sql": Answering(), "mq": hanging})
        assert [asked.states() for _ in range(2)] == [{"sql": True, "mq": False}] * 2
        assert hanging.asked == 1

    def test_all_are_asked_at_once(self, hanging):
        others = {name: Hanging(released=hanging.released) for name in COMPONENTS}
        began = time.monotonic()
        Health(others).states()
        assert time.monotonic() - began < 1.5

    def test_a_storm_of_probes_asks_once(self):
        check = Answering()
        asked = Health({"sql": check})
        probes = [threading.Thread(target=asked.states) for _ in range(50)]
        for probe in probes:
            probe.start()
        for probe in probes:
            probe.join()
        assert check.asked == 1

    def test_while_one_probe_asks_anew_the_others_get_the_last_answer(self, hanging, monkeypatch):
        monkeypatch.setattr(health, "FRESH", 0)
        check = Answering()
        asked = Health({"sql": check, "mq": hanging})
        asked.states()
        slow = threading.Thread(target=asked.states)
        slow.start()
        while slow.is_alive() and not asked._asking.locked():
            pass
        began = time.monotonic()
        assert asked.states() == {"sql": True, "mq": False}
        assert time.monotonic() - began < 0.5
        slow.join()

    def test_a_change_is_logged_once_with_its_reason(self, caplog, monkeypatch):
        monkeypatch.setattr(health, "FRESH", 0)
        check = Answering(up=False)
        asked = Health({"sql": check})
        asked.states()
        asked.states()
        check.up = True
        asked.states()
        said = [record.getMessage() for record in caplog.records if record.name == health.__name__]
        assert len(said) == 2
        assert "told to be down" in said[0]
        assert said[1] == "sql is up again"


class TestLiveAndReady:
    def test_that_it_is_alive_is_said_without_asking_anyone(self, client, django_assert_num_queries, db):
        with django_assert_num_queries(0):
            response = client.get("/health/live")
        assert (response.status_code, response.json()) == (200, {"status": "UP"})

    @pytest.mark.parametrize(("up", "code"), [(True, 200), (False, 503)])
    def test_it_is_ready_while_sql_answers(self, client, monkeypatch, up, code):
        monkeypatch.setattr(ReadyView, "health", Health({"sql": Answering(up=up)}))
        response = client.get("/health/ready")
        assert (response.status_code, response.json()) == (code, {"status": "UP" if up else "DOWN"})


def fault_of(check: HealthCheck) -> str:
    """In one line, why a neighbour is down."""
    with pytest.raises(ServiceUnavailable) as fault:
        check.run()
    assert "\n" not in str(fault.value)
    return str(fault.value)


@pytest.mark.django_db
class TestNeighbours:
    def test_sql_the_embedded_queue_and_the_embedded_store_answer(self):
        checks = {"mq": neighbours.Queue(), "sql": neighbours.Sql(), "aerospike": neighbours.StatusStore()}
        assert Health(checks).states() == dict.fromkeys(checks, True)

    def test_sql_that_takes_no_writes_is_down(self, database, monkeypatch):
        with database.connect() as book:
            book.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
        monkeypatch.setitem(connection.settings_dict, "NAME", database.name)
        assert "no writes" in fault_of(neighbours.Sql())


class TestBroker:
    def test_a_broker_that_lets_us_in_is_up(self, rabbitmq, configure):
        configure("mq", broker_url=rabbitmq.url)
        neighbours.Queue().run()

    def test_a_broker_that_does_not_know_us_is_down(self, rabbitmq, configure):
        configure("mq", broker_url=f"amqp://guest:wrong@127.0.0.1:{rabbitmq.port}")
        assert "ACCESS_REFUSED" in fault_of(neighbours.Queue())

    def test_a_closed_port_is_down(self, configure):
        configure("mq", broker_url=f"amqp://127.0.0.1:{free_port()}")
        assert "refused" in fault_of(neighbours.Queue())

    def test_a_broker_that_says_nothing_is_down_within_a_second(self, configure):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            configure("mq", broker_url=f"amqp://127.0.0.1:{silent.getsockname()[1]}")
            began = time.monotonic()
            assert "imeout" in fault_of(neighbours.Queue())
            assert time.monotonic() - began < 1.2


class TestRegistry:
    def test_a_registry_that_knows_the_router_is_up(self, configure):
        with simulated_registry({"order-router": "http://127.0.0.1:8082"}) as registry:
            configure("service_registry", endpoint=registry.url)
            neighbours.ServiceRegistry().run()

    def test_a_registry_that_does_not_know_the_router_is_down(self, configure):
        with simulated_registry({}) as registry:
            configure("service_registry", endpoint=registry.url)
            assert "order-router" in fault_of(neighbours.ServiceRegistry())

    def test_a_registry_that_cannot_be_reached_is_down(self, configure):
        configure("service_registry", endpoint=f"127.0.0.1:{free_port()}")
        assert "order-router" in fault_of(neighbours.ServiceRegistry())
