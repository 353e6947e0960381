from __future__ import annotations

import time

import pytest
import requests

from routing.endpoints import checked_endpoint
from routing.registry import RegistryUnavailable, ServiceUnknown
from tests.integration.routing.registries import ENTRY, registry_at
from tests.scripted_server import always

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
        (b'{"name": "order-router", "instances": []}', "endpoint"),
        (b'{"name": "order-router", "instances": [{"endpoint": "http://a", "weight": -1}]}', "weight"),
        (b'{"name": "order-router", "endpoint": 1}', "endpoint"),
        (b'{"name": "other", "endpoint": "http://router:8082"}', "another service"),
        (b'{"name": "order-router", "endpoint": "router:8082"}', "http://host:8082"),
        (b'{"name": "order-router", "endpoint": "\xff"}', "utf-8"),
        (b'{"x": ' + b"[" * 60_000, "recursion"),
        (b'{"x": "' + b"x" * 1_100_000 + b'"}', "more than"),
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


def test_the_simulated_registry_can_be_spoken_to_with_any_client(simulate):
    registry = simulate("simulate_registry", "--service", "a=http://one:1", "--service", "b=https://two/")
    entries = [requests.get(f"{registry.url}/services/{name}", timeout=5).json() for name in "ab"]
    assert entries == [
        {"name": "a", "endpoint": "http://one:1"},
        {"name": "b", "endpoint": "https://two"},
    ]
