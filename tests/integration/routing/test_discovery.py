"""Keeping the router's instances current."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from routing.discovery import Discovery
from routing.registry import Registry
from tests.integration.routing.registries import ENTRY, registry_at, static
from tests.integration.routing.turning import turn_until
from tests.scripted_server import always


def endpoints(service):
    return [one.endpoint for one in service.instances]


class Watch:
    """A running `Discovery` and what became of it."""

    def __init__(self, reactor, url, **options):
        self.reactor = reactor
        self.changes = []
        self.threads = set()
        settings = {"interval": 0.1, "least_gap": 0.05} | options
        self.discovery = Discovery(
            reactor, registry_at(url, timeout=1.0), "order-router", on_change=self._note, **settings
        )

    def _note(self, service):
        self.changes.append(endpoints(service))
        self.threads.add(threading.get_ident())

    def until(self, done, **options):
        turn_until(self.reactor, done, **options)


@pytest.fixture
def watch(reactor):
    started = []

    def start(url, **options):
        started.append(Watch(reactor, url, **options))
        started[-1].discovery.start()
        return started[-1]

    yield start
    for each in started:
        each.discovery.stop()


def test_nothing_is_known_before_the_first_answer(reactor):
    discovery = Discovery(reactor, registry_at("http://127.0.0.1:1"), "order-router", interval=60)
    assert (discovery.current, discovery.state) == (None, "DOWN")
    discovery.stop()


def test_the_endpoint_arrives_on_the_loops_thread(watch, serve):
    router = watch(serve(always(ENTRY)).url)
    router.until(lambda: router.discovery.current)
    assert (router.discovery.current.endpoint, router.discovery.state) == ("http://router:8082", "UP")
    assert router.changes == [["http://router:8082"]]
    assert router.threads == {threading.get_ident()}


def test_a_router_that_moves_is_followed_at_the_next_look_up(watch, simulate):
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    router = watch(registry.url)
    router.until(lambda: router.discovery.current)
    registry.put("/services/order-router", {"endpoint": "http://two:2"}).raise_for_status()
    router.until(lambda: len(router.changes) == 2)
    assert router.changes == [["http://one:1"], ["http://two:2"]]
    assert router.discovery.current.endpoint == "http://two:2"


def test_the_last_known_endpoint_stays_in_use_while_the_registry_fails(watch, simulate, caplog):
    caplog.set_level(logging.INFO, logger="routing.discovery")
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    router = watch(registry.url)
    router.until(lambda: router.discovery.current)
    registry.turn(failure_rate=1)
    router.until(lambda: router.discovery.state == "DOWN")
    assert router.discovery.current.endpoint == "http://one:1"
    registry.turn(failure_rate=0)
    router.until(lambda: router.discovery.state == "UP")
    assert router.changes == [["http://one:1"]]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "http://one:1 stays in use" in warnings[0]
    assert "answered 503" in warnings[0]


def test_instances_that_come_go_and_change_their_weight_are_followed(watch, simulate):
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    router = watch(registry.url)
    for expected, instances in (
        (["http://one:1", "http://two:2"], [("http://one:1", 1), ("http://two:2", 1)]),
        (["http://two:2", "http://one:1"], [("http://one:1", 1), ("http://two:2", 9)]),
        (["http://two:2"], [("http://two:2", 9)]),
    ):
        entry = {"instances": [{"endpoint": endpoint, "weight": weight} for endpoint, weight in instances]}
        registry.put("/services/order-router", entry).raise_for_status()
        router.until(lambda expected=expected: router.changes and router.changes[-1] == expected)


def test_the_last_known_router_stays_in_use_when_the_registry_forgets_it(watch, serve):
    def forgets(line):
        line.read()
        line.answer(ENTRY)
        always(b"", status="404 Not Found")(line)

    router = watch(serve(forgets).url)
    router.until(lambda: router.discovery.current and router.discovery.state == "DOWN")
    assert router.discovery.current.endpoint == "http://router:8082"


def test_a_failure_is_logged_once_however_often_it_comes(watch, serve, caplog):
    server = serve(always(b"", status="404 Not Found"))
    router = watch(server.url)
    router.until(lambda: len(server.requests) >= 5)
    assert [record.levelname for record in caplog.records if record.name == "routing.discovery"] == [
        "WARNING"
    ]
    assert "orders wait" in caplog.text


def test_after_a_failure_the_next_look_up_comes_sooner_than_the_interval(watch, serve):
    def fails_once(line):
        line.read()
        line.answer(b"", status="404 Not Found")
        always(ENTRY)(line)

    router = watch(serve(fails_once).url, interval=3600)
    router.until(lambda: router.discovery.current, patience=5)


def test_an_early_look_up_can_be_asked_for(watch, serve):
    server = serve(always(ENTRY))
    router = watch(server.url, interval=3600)
    router.until(lambda: router.discovery.current)
    router.discovery.refresh_soon()
    router.until(lambda: len(server.requests) == 2, patience=5)


def test_asking_ever_so_often_does_not_flood_the_registry(watch, serve, reactor):
    server = serve(always(ENTRY))
    router = watch(server.url, interval=3600, least_gap=0.2)
    end = time.monotonic() + 1.0

    def ask_again():
        router.discovery.refresh_soon()
        return time.monotonic() > end

    router.until(ask_again)
    assert 3 <= len(server.requests) <= 7


def test_looking_up_stops_promptly_while_it_rests(watch, serve):
    router = watch(serve(always(ENTRY)).url, interval=3600, least_gap=3600)
    router.until(lambda: router.discovery.current)
    began = time.monotonic()
    router.discovery.stop()
    assert time.monotonic() - began < 1
    assert not router.discovery._thread.is_alive()


def test_looking_up_stops_promptly_while_the_registry_hangs_and_says_no_more(watch, serve, reactor):
    reading = threading.Event()

    def script(line):
        line.read()
        reading.set()
        line.hang()

    router = watch(serve(script).url, least_gap=0.1)
    assert reading.wait(5)
    began = time.monotonic()
    router.discovery.stop()
    assert time.monotonic() - began < 0.9
    router.discovery._thread.join(5)
    reactor.call_later(0.05, reactor.stop)
    reactor.run()
    assert (router.discovery.current, router.changes) == (None, [])


def test_an_error_nobody_thought_of_ends_the_loop_loudly(reactor):
    class Broken(Registry):
        def lookup(self, name, *, stopping=None):
            raise LookupError(name)

    discovery = Discovery(reactor, Broken(static("http://one:1")), "order-router", interval=60)
    discovery.start()
    with pytest.raises(LookupError, match="order-router"):
        reactor.run()
    discovery.stop()
