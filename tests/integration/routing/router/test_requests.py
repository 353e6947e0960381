"""What goes out to the router."""

from __future__ import annotations

import pytest

from routing.models import Outcome
from tests.integration.routing.router.calls import ROUTED, post
from tests.scripted_server import always

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_call_posts_the_order_as_the_contract_says(serve, client, ask):
    server = serve(always(ROUTED))
    answer = ask(client, server.url, body=b'{"orderId": "A"}', key="A:2", traceparent=TRACEPARENT)
    assert answer.outcome is Outcome.ACCEPTED
    assert (answer.route, answer.http_status, answer.error) == ("NASDAQ-EXECUTION-1", 200, "")
    assert answer.latency_ms > 0
    (request,) = server.requests
    assert request.head.startswith(b"POST /route HTTP/1.1\r\n")
    assert request.body == b'{"orderId": "A"}'
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "A:2"
    assert request.headers["traceparent"] == TRACEPARENT


def test_the_endpoint_may_have_a_path(serve, client, ask):
    server = serve(always(ROUTED))
    ask(client, f"{server.url}/venues/eu")
    assert server.requests[0].head.startswith(b"POST /venues/eu/route HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "traceparent", [None, "", "nonsense", f"{TRACEPARENT}\r\nX-Admin: yes", TRACEPARENT.upper()]
)
def test_what_is_no_traceparent_is_not_sent_on(serve, client, ask, traceparent):
    server = serve(always(ROUTED))
    ask(client, server.url, traceparent=traceparent)
    assert b"traceparent" not in server.requests[0].head
    assert b"X-Admin" not in server.requests[0].head


@pytest.mark.parametrize("key", ["", "A\r\nX-Admin: yes", "A\n", "A B", "Ä", "A\0", "A" * 256])
def test_a_key_that_cannot_be_a_header_is_refused_and_costs_no_slot(client, key):
    with pytest.raises(ValueError, match="visible ASCII"):
        post(client, "http://127.0.0.1:1", print, key=key)
    assert client.free == 1


def test_an_empty_body_is_refused_because_libcurl_would_repeat_it_by_itself(client):
    with pytest.raises(ValueError, match="empty"):
        post(client, "http://127.0.0.1:1", print, body=b"")


def test_a_large_order_goes_out_whole_and_without_asking_to_continue(serve, client, ask):
    server = serve(always(ROUTED))
    body = b'{"orderId": "A", "extra": "' + b"x" * 3_000_000 + b'"}'
    assert ask(client, server.url, body=body).outcome is Outcome.ACCEPTED
    assert server.requests[0].body == body
    assert b"expect" not in server.requests[0].head.lower()


def test_proxies_of_the_environment_are_not_used(serve, client, ask, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(client, serve(always(ROUTED)).url).outcome is Outcome.ACCEPTED


def test_only_http_is_spoken(client, ask, tmp_path):
    (tmp_path / "route").write_bytes(ROUTED)
    answer = ask(client, f"file://{tmp_path}")
    assert (answer.outcome, answer.route) == (Outcome.UNREACHABLE, None)
