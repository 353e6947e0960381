"""Calls have slots, times and answers of their own, and end with their client."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from routing.models import Outcome
from tests.integration.routing.router.calls import ROUTED, post
from tests.integration.routing.turning import turn_for, turn_until
from tests.scripted_server import always

# Slots.


def test_a_call_without_a_free_slot_is_refused(serve, client, ask, reactor):
    server, answers = serve(always(ROUTED)), []
    post(client, server.url, answers.append)
    assert client.free == 0
    with pytest.raises(RuntimeError, match="no call slot"):
        post(client, server.url, answers.append)
    turn_until(reactor, lambda: answers)
    assert client.free == 1


def test_on_answer_may_post_the_next_call(serve, client, reactor):
    server, answers = serve(always(ROUTED)), []

    def next_please(answer):
        answers.append(answer)
        if len(answers) < 5:
            post(client, server.url, next_please)

    post(client, server.url, next_please)
    turn_until(reactor, lambda: len(answers) == 5)
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}


def test_an_error_in_on_answer_ends_the_loop_loudly(serve, client, reactor):
    def wrong(_):
        raise LookupError("the book is gone")

    post(client, serve(always(ROUTED)).url, wrong)
    with pytest.raises(LookupError, match="the book is gone"):
        turn_until(reactor, lambda: False)


def test_close_ends_calls_in_flight_without_calling_back(serve, make_client, reactor):
    def script(line):
        line.read()
        line.hang()

    client, server, answers = make_client(timeout=0.2, in_flight=3), serve(script), []
    for _ in range(3):
        post(client, server.url, answers.append)
    turn_until(reactor, lambda: len(server.requests) == 3)
    client.close()
    turn_for(reactor, 0.5)
    assert answers == []
    with pytest.raises(RuntimeError, match="no call slot"):
        post(client, server.url, answers.append)


@pytest.mark.parametrize("script", [always(ROUTED), lambda line: line.hang()], ids=["answers", "timeouts"])
def test_on_answer_may_close_the_client(serve, make_client, reactor, script):
    client, server, answers = make_client(timeout=0.3, in_flight=8), serve(script), []

    def close(answer):
        answers.append(answer)
        client.close()

    for _ in range(8):
        post(client, server.url, close)
    turn_until(reactor, lambda: answers)
    turn_for(reactor, 0.5)
    assert len(answers) == 1


def test_many_calls_in_flight_each_get_their_own_answer(simulate, make_client, reactor):
    router = simulate(
        "simulate_router", "--jitter-ms", "20", "--venues", ",".join(f"V{n}" for n in range(40))
    )
    client, routes, waiting = make_client(in_flight=32), {}, [f"ORD-{n}" for n in range(500)]

    def submit():
        while waiting and client.free:
            call(waiting.pop())

    def call(key):
        def on_answer(answer):
            routes[key] = answer.route
            submit()

        post(client, router.url, on_answer, body=json.dumps({"orderId": key}).encode(), key=key)

    submit()
    turn_until(reactor, lambda: len(routes) == 500)
    keys = router.get("/executions")["keys"]
    assert routes == {key: record["route"] for key, record in keys.items()}
    assert all(record["executions"] == record["requests"] == 1 for record in keys.values())
    assert client.free == 32


# Time.


def stall(reactor, seconds, begun, until):
    """Hold the loop up from within a pass over its sockets, so that its timers come next."""
    near, far = socket.socketpair()

    def handler(fd, _):
        reactor.remove_handler(fd)
        near.close()
        far.close()
        begun.set()
        assert until.wait(5)
        time.sleep(seconds)

    reactor.add_handler(near.fileno(), handler, reactor.READ)
    far.send(b"x")


@pytest.mark.parametrize("kept", [False, True])
def test_an_answer_that_lies_in_the_socket_after_a_stall_of_the_loop_counts(
    serve, make_client, ask, reactor, kept
):
    stalled, answers = threading.Event(), []

    def script(line):
        if kept:
            line.read()
            line.answer(ROUTED)
        line.read()
        line.answered.clear()
        assert stalled.wait(5)
        line.answer(ROUTED)

    client, server = make_client(timeout=0.3), serve(script)
    if kept:
        ask(client, server.url)
    post(client, server.url, answers.append)
    turn_until(reactor, lambda: len(server.requests) == 1 + kept)
    stall(reactor, 0.5, stalled, server.answered)
    turn_until(reactor, lambda: answers)
    assert answers[0].outcome is Outcome.ACCEPTED
    assert answers[0].latency_ms >= 500


def test_each_call_has_its_own_time(serve, make_client, reactor):
    def script(line):
        line.read()
        line.hang()

    client, server, ended = make_client(timeout=0.4, in_flight=2), serve(script), []
    post(client, server.url, lambda answer: ended.append(("first", answer)))
    reactor.call_later(0.2, lambda: post(client, server.url, lambda answer: ended.append(("second", answer))))
    turn_until(reactor, lambda: len(ended) == 2)
    assert [name for name, _ in ended] == ["first", "second"]
    for _, answer in ended:
        assert 400 <= answer.latency_ms < 550
