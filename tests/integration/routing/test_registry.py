from __future__ import annotations

import logging
import threading
import time

import pytest
import requests

from routing.endpoints import checked_endpoint
from routing.registry import Registry, RegistryUnavailable, RouterEndpoint, ServiceUnknown
from tests.scripted_server import always

ENTRY = b'{"name": "order-router", "endpoint": "http://router:8082"}'


def registry_at(url, *, timeout=2.0, path="/services/{name}"):
    return Registry(url.removeprefix("http://"), path=path, timeout=timeout)


# Looking up.


def test_the_endpoint_is_read_as_the_spec_writes_it(simulate):
    simulator = simulate("simulate_registry", "--service", "order-router=http://127.0.0.1:8082/")
    registry = registry_at(simulator.url)
    assert registry.lookup("order-router").endpoint == "http://127.0.0.1:8082"
    assert registry.lookup("order-router").name == "order-router"


def test_the_name_is_quoted_into_the_path(serve):
    server = serve(always(b'{"name": "a/b?c", "endpoint": "http://router:8082"}'))
    registry_at(server.url, path="/v1/{name}/entry").lookup("a/b?c")
    assert server.requests[0].head.startswith(b"GET /v1/a%2Fb%3Fc/entry HTTP/1.1\r\n")


def test_an_unknown_service_is_said_to_be_and_not_asked_for_again(serve):
    server = serve(always(b"", status="404 Not Found"))
    with pytest.raises(
        ServiceUnknown, match=r"GET http://\S+/services/order-router answered 404.*'order-router'"
    ):
        registry_at(server.url).lookup("order-router")
    assert len(server.requests) == 1


def test_a_registry_that_recovers_at_the_third_attempt_is_believed(serve):
    def then(*answers):
        def script(line):
            for status, body in answers:
                line.read()
                line.answer(body, status=status)

        return script

    server = serve(then(("503 No", b""), ("500 No", b""), ("200 OK", ENTRY)))
    assert registry_at(server.url).lookup("order-router").endpoint == "http://router:8082"
    assert len(server.requests) == 3


def test_after_three_attempts_the_last_answer_is_told(serve):
    server = serve(always(b"out of order", status="503 No"))
    with pytest.raises(RegistryUnavailable, match=r"answered 503: b'out of order'"):
        registry_at(server.url).lookup("order-router")
    assert len(server.requests) == 3


def test_a_registry_that_is_not_there_is_unavailable():
    with pytest.raises(
        RegistryUnavailable, match=r"GET http://127.0.0.1:1/services/order-router got no answer"
    ):
        registry_at("http://127.0.0.1:1").lookup("order-router")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "truncated"),
        (b"<html>", "malformed"),
        (b"[]", "object"),
        (b'{"name": "order-router"}', "endpoint"),
        (b'{"name": "order-router", "endpoint": 1}', "endpoint"),
        (b'{"name": "other", "endpoint": "http://router:8082"}', "another service"),
        (b'{"name": "order-router", "endpoint": "router:8082"}', "http://host:8082"),
        (b'{"name": "order-router", "endpoint": "\xff"}', "utf-8"),
        (b'{"x": ' + b"[" * 60_000, "recursion"),
        (b'{"x": "' + b"x" * 100_000 + b'"}', "more than"),
    ],
    ids=lambda value: repr(value[:40]),
)
def test_an_answer_that_is_no_entry_is_unavailability_that_says_what_came(serve, body, says):
    with pytest.raises(RegistryUnavailable, match=rf"(?i){says}"):
        registry_at(serve(always(body)).url).lookup("order-router")


def test_a_redirect_is_not_followed(serve):
    elsewhere = serve(always(ENTRY))
    server = serve(always(b"", status="302 Found", headers=f"Location: {elsewhere.url}/\r\n"))
    with pytest.raises(RegistryUnavailable, match="answered 302"):
        registry_at(server.url).lookup("order-router")
    assert elsewhere.connections == 0


def test_an_answer_that_drips_does_not_outlast_the_timeout(serve):
    def script(line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not line.ended.wait(0.02):
            line.send(b" ")

    began = time.monotonic()
    with pytest.raises(RegistryUnavailable, match=r"not complete within 0.2 s"):
        registry_at(serve(script).url, timeout=0.2).lookup("order-router")
    assert time.monotonic() - began < 5


def test_proxies_of_the_environment_are_not_used(serve, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert registry_at(serve(always(ENTRY)).url).lookup("order-router")


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://router:8082", "http://router:8082"),
        ("https://router/", "https://router"),
        ("http://[::1]:8082/base//", "http://[::1]:8082/base"),
    ],
)
def test_an_endpoint_is_an_http_url_without_a_trailing_slash(url, endpoint):
    assert checked_endpoint(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "",
        "router",
        "router:8082",
        "ftp://router",
        "http://",
        "http:///route",
        "http://:8082",
        "http://router:99999",
        "http://router:0",
        "http://router:x",
        "http://[::1",
        "http://user:secret@router",
        "http://router?x=1",
        "http://router#x",
        "http://router\r\nX-Admin: yes",
        "http://rou ter",
        "http://röuter",
        "http://" + "r" * 300,
    ],
)
def test_what_cannot_be_called_is_no_endpoint(url):
    with pytest.raises(ValueError, match=r"expected an endpoint such as http://host:8082"):
        checked_endpoint(url)


# Keeping the endpoint current.


class Watch:
    """A running `RouterEndpoint` and what became of it."""

    def __init__(self, reactor, url, **options):
        self.reactor = reactor
        self.changes = []
        self.threads = set()
        settings = {"interval": 0.1, "least_gap": 0.05} | options
        self.endpoint = RouterEndpoint(
            reactor, registry_at(url, timeout=1.0), "order-router", on_change=self._note, **settings
        )

    def _note(self, endpoint):
        self.changes.append(endpoint)
        self.threads.add(threading.get_ident())

    def until(self, done, *, patience=10):
        end = time.monotonic() + patience

        def look():
            if done():
                self.reactor.stop()
            elif time.monotonic() > end:
                self.reactor.fail(AssertionError("waited too long"))
            else:
                self.reactor.call_later(0.001, look)

        look()
        self.reactor.run()


@pytest.fixture
def watch(reactor):
    started = []

    def start(url, **options):
        started.append(Watch(reactor, url, **options))
        started[-1].endpoint.start()
        return started[-1]

    yield start
    for each in started:
        each.endpoint.stop()


def test_nothing_is_known_before_the_first_answer(reactor):
    endpoint = RouterEndpoint(reactor, registry_at("http://127.0.0.1:1"), "order-router", interval=60)
    assert (endpoint.current, endpoint.state) == (None, "DOWN")
    endpoint.stop()


def test_the_endpoint_arrives_on_the_loops_thread(watch, serve):
    router = watch(serve(always(ENTRY)).url)
    router.until(lambda: router.endpoint.current)
    assert (router.endpoint.current, router.endpoint.state) == ("http://router:8082", "UP")
    assert router.changes == ["http://router:8082"]
    assert router.threads == {threading.get_ident()}


def test_a_router_that_moves_is_followed_at_the_next_look_up(watch, simulate):
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    router = watch(registry.url)
    router.until(lambda: router.endpoint.current)
    registry.put("/services/order-router", {"endpoint": "http://two:2"}).raise_for_status()
    router.until(lambda: len(router.changes) == 2)
    assert router.changes == ["http://one:1", "http://two:2"]
    assert router.endpoint.current == "http://two:2"


def test_the_last_known_endpoint_stays_in_use_while_the_registry_fails(watch, simulate, caplog):
    caplog.set_level(logging.INFO, logger="routing.registry")
    registry = simulate("simulate_registry", "--service", "order-router=http://one:1")
    router = watch(registry.url)
    router.until(lambda: router.endpoint.current)
    registry.turn(failure_rate=1)
    router.until(lambda: router.endpoint.state == "DOWN")
    assert router.endpoint.current == "http://one:1"
    registry.turn(failure_rate=0)
    router.until(lambda: router.endpoint.state == "UP")
    assert router.changes == ["http://one:1"]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "http://one:1 stays in use" in warnings[0]
    assert "answered 503" in warnings[0]


def test_a_failure_is_logged_once_however_often_it_comes(watch, serve, caplog):
    server = serve(always(b"", status="404 Not Found"))
    router = watch(server.url)
    router.until(lambda: len(server.requests) >= 5)
    assert [record.levelname for record in caplog.records if record.name == "routing.registry"] == ["WARNING"]
    assert "orders wait" in caplog.text


def test_after_a_failure_the_next_look_up_comes_sooner_than_the_interval(watch, serve):
    def fails_once(line):
        line.read()
        line.answer(b"", status="404 Not Found")
        always(ENTRY)(line)

    router = watch(serve(fails_once).url, interval=3600)
    router.until(lambda: router.endpoint.current, patience=5)


def test_an_early_look_up_can_be_asked_for(watch, serve):
    server = serve(always(ENTRY))
    router = watch(server.url, interval=3600)
    router.until(lambda: router.endpoint.current)
    router.endpoint.refresh_soon()
    router.until(lambda: len(server.requests) == 2, patience=5)


def test_asking_ever_so_often_does_not_flood_the_registry(watch, serve, reactor):
    server = serve(always(ENTRY))
    router = watch(server.url, interval=3600, least_gap=0.2)
    end = time.monotonic() + 1.0

    def ask_again():
        router.endpoint.refresh_soon()
        return time.monotonic() > end

    router.until(ask_again)
    assert 3 <= len(server.requests) <= 7


def test_it_stops_promptly_while_it_rests(watch, serve):
    router = watch(serve(always(ENTRY)).url, interval=3600, least_gap=3600)
    router.until(lambda: router.endpoint.current)
    began = time.monotonic()
    router.endpoint.stop()
    assert time.monotonic() - began < 1
    assert not router.endpoint._thread.is_alive()


def test_it_stops_promptly_while_the_registry_hangs_and_says_no_more(watch, serve, reactor):
    reading = threading.Event()

    def script(line):
        line.read()
        reading.set()
        line.hang()

    router = watch(serve(script).url, least_gap=0.1)
    assert reading.wait(5)
    began = time.monotonic()
    router.endpoint.stop()
    assert time.monotonic() - began < 0.9
    router.endpoint._thread.join(5)
    reactor.call_later(0.05, reactor.stop)
    reactor.run()
    assert (router.endpoint.current, router.changes) == (None, [])


def test_an_error_nobody_thought_of_ends_the_loop_loudly(reactor):
    class Broken(Registry):
        def lookup(self, name, *, stopping=None):
            raise LookupError(name)

    endpoint = RouterEndpoint(reactor, Broken("127.0.0.1:1", timeout=1), "order-router", interval=60)
    endpoint.start()
    with pytest.raises(LookupError, match="order-router"):
        reactor.run()
    endpoint.stop()


def test_the_simulated_registry_can_be_spoken_to_with_any_client(simulate):
    registry = simulate("simulate_registry", "--service", "a=http://one:1", "--service", "b=https://two/")
    entries = [requests.get(f"{registry.url}/services/{name}", timeout=5).json() for name in "ab"]
    assert entries == [
        {"name": "a", "endpoint": "http://one:1"},
        {"name": "b", "endpoint": "https://two"},
    ]
