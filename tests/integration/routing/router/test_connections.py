"""Connections are kept, to one router or several, and replaced."""

from __future__ import annotations

from routing.models import Outcome
from tests.integration.routing.router.calls import ROUTED
from tests.integration.routing.turning import turn_for
from tests.scripted_server import always


def test_a_connection_is_used_again(serve, client, ask):
    server = serve(always(ROUTED))
    for _ in range(5):
        ask(client, server.url)
    assert (len(server.requests), server.connections) == (5, 1)


def test_a_request_is_not_sent_again_when_a_kept_connection_drops_after_reading_it(serve, client, ask):
    def script(line):
        line.read()
        line.answer(ROUTED)
        line.read()

    server = serve(script)
    assert ask(client, server.url, key="first").outcome is Outcome.ACCEPTED
    assert ask(client, server.url, key="second").outcome is Outcome.UNKNOWN
    assert [request.headers["idempotency-key"] for request in server.requests] == ["first", "second"]


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(serve, client, ask):
    def script(line):
        line.read()
        line.answer(ROUTED)

    server = serve(script)
    for number in range(1, 6):
        server.closed.clear()
        assert ask(client, server.url).outcome is Outcome.ACCEPTED
        assert server.closed.wait(5)
        assert (len(server.requests), server.connections) == (number, number)


def test_a_connection_that_has_idled_long_is_not_used_again(serve, client, ask, reactor):
    server = serve(always(ROUTED))
    ask(client, server.url)
    turn_for(reactor, 2.2)
    assert ask(client, server.url).outcome is Outcome.ACCEPTED
    assert server.connections == 2


def test_another_endpoint_is_called_from_the_next_call_on(serve, client, ask):
    first, second = serve(always(b'{"route": "A"}')), serve(always(b'{"route": "B"}'))
    assert [ask(client, server.url).route for server in (first, second, first)] == ["A", "B", "A"]


def test_connections_to_several_routers_are_kept_whatever_the_order_of_calls(serve, make_client, ask):
    servers = [serve(always(ROUTED)) for _ in range(3)]
    client = make_client(in_flight=3)
    for number in (0, 1, 2, 0, 2, 1, 1, 0, 2, 2, 1, 0):
        assert ask(client, servers[number].url).route
    assert [(len(server.requests), server.connections) for server in servers] == [(4, 1)] * 3


def test_a_router_that_restarts_between_calls_is_found_again(simulate, client, ask, reactor):
    first = simulate("simulate_router")
    assert ask(client, first.url).outcome is Outcome.ACCEPTED
    first.stop()
    assert ask(client, first.url).outcome is Outcome.UNREACHABLE
    again = simulate("simulate_router", "--port", str(first.port))
    assert ask(client, again.url).outcome is Outcome.ACCEPTED
