from __future__ import annotations

import json
import socket
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from routing.models import Outcome
from routing.router import MOST_BYTES, RouterClient
from tests.scripted_server import always

ROUTED = b'{"route": "NASDAQ-EXECUTION-1"}'
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PATIENCE = 10  # seconds until a loop that waits for an answer is stopped


@pytest.fixture
def make_client(reactor):
    clients = []

    def make(*, timeout=2.0, in_flight=1):
        clients.append(RouterClient(reactor, timeout=timeout, in_flight=in_flight))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(make_client):
    return make_client()


@pytest.fixture
def ask(reactor):
    """One call, waited for."""

    def ask(client, endpoint, *, body=b'{"orderId": "ORD-1"}', key="ORD-1", traceparent=None):
        answers = []
        post(client, endpoint, answers.append, body=body, key=key, traceparent=traceparent)
        turn_until(reactor, lambda: answers)
        return answers[0]

    return ask


def post(client, endpoint, on_answer, *, body=b'{"orderId": "ORD-1"}', key="ORD-1", traceparent=None):
    client.post(endpoint, body, idempotency_key=key, traceparent=traceparent, on_answer=on_answer)


def turn_until(reactor, done):
    """Turn the loop until `done()`; fails after `PATIENCE`."""

    def look():
        if done():
            reactor.stop()
        elif time.monotonic() > end:
            reactor.fail(AssertionError("waited too long"))
        else:
            reactor.call_later(0.001, look)

    end = time.monotonic() + PATIENCE
    look()
    reactor.run()


def turn_for(reactor, seconds):
    reactor.call_later(seconds, reactor.stop)
    reactor.run()


# What goes out.


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


# What comes back.


@pytest.mark.parametrize("status", ["429 Slow Down", "502 Bad Gateway", "503 Service Unavailable"])
def test_a_router_that_says_it_did_nothing_is_unreachable_and_worth_another_try(serve, client, ask, status):
    answer = ask(client, serve(always(b"come back later", status=status)).url)
    assert (answer.outcome, answer.repeatable) == (Outcome.UNREACHABLE, True)
    assert answer.http_status == int(status[:3])
    assert answer.error == f"The router answered {status[:3]}: come back later"


@pytest.mark.parametrize("status", ["500 Oops", "501 No", "504 Gateway Timeout", "507 Full"])
def test_a_router_that_may_have_routed_the_order_leaves_it_unknown(serve, client, ask, status):
    answer = ask(client, serve(always(b"", status=status)).url)
    assert (answer.outcome, answer.repeatable) == (Outcome.UNKNOWN, True)
    assert answer.error == f"The router answered {status[:3]}: (nothing)"


@pytest.mark.parametrize(
    "status", ["201 Created", "204 None", "301 Moved", "400 Bad", "404 None", "409 Conflict", "422 No"]
)
def test_any_other_answer_is_a_refusal_and_not_worth_another_try(serve, client, ask, status):
    answer = ask(client, serve(always(b"", status=status)).url)
    assert (answer.outcome, answer.repeatable, answer.http_status) == (
        Outcome.REFUSED,
        False,
        int(status[:3]),
    )


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
def test_a_redirect_is_not_followed(serve, client, ask, status):
    elsewhere = serve(always(ROUTED))
    server = serve(always(b"", status=status, headers=f"Location: {elsewhere.url}/route\r\n"))
    assert ask(client, server.url).outcome is Outcome.REFUSED
    assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b"[]",
        b"{}",
        b'{"route": null}',
        b'{"route": 1}',
        b'{"route": ""}',
        b'{"route": "   "}',
        b'{"route": "A\\u0000"}',
        b'{"route": "A\\nB"}',
        b'{"route": "\\ud800"}',
        b'{"route": "\xff"}',
        b'{"route": "' + b"A" * 256 + b'"}',
        b'{"route": "A"',
        b'{"route": "A"} {"route": "B"}',
        b'{"x": ' + b"[" * 60_000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_an_answer_without_a_usable_route_is_a_refusal_that_shows_it(serve, client, ask, body):
    answer = ask(client, serve(always(body)).url)
    assert (answer.outcome, answer.route, answer.repeatable) == (Outcome.REFUSED, None, False)
    assert answer.error.startswith("The router answered 200 without a usable route")
    assert answer.error.isprintable()
    assert len(answer.error) < 500


def test_a_route_may_be_any_printable_text_of_255_characters(serve, client, ask):
    route = "Börse Zürich-1 " + "ü" * 240
    assert ask(client, serve(always(json.dumps({"route": route, "by": "x"}).encode())).url).route == route


def test_an_answer_that_says_it_is_huge_is_not_read(serve, client, ask):
    def script(line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + ROUTED)
        line.hang()

    answer = ask(client, serve(script).url)
    assert answer.outcome is Outcome.REFUSED
    assert f"more than {MOST_BYTES} bytes" in answer.error


def test_an_answer_without_end_is_cut_off(serve, client, ask):
    def script(line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            line.send(b"1000\r\n" + b" " * 0x1000 + b"\r\n")

    answer = ask(client, serve(script).url)
    assert answer.outcome is Outcome.REFUSED
    assert f"more than {MOST_BYTES} bytes" in answer.error


def test_a_huge_answer_is_still_judged_by_its_status(serve, client, ask):
    answer = ask(client, serve(always(b"<html>" * 50_000, status="503 Service Unavailable")).url)
    assert (answer.outcome, answer.http_status) == (Outcome.UNREACHABLE, 503)


def test_retry_after_in_seconds_is_handed_on(serve, client, ask):
    server = serve(always(b"", status="503 Service Unavailable", headers="Retry-After: 17\r\n"))
    assert ask(client, server.url).retry_after == 17


def test_retry_after_as_a_date_is_handed_on_in_seconds(serve, client, ask):
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server = serve(always(b"", status="429 Slow Down", headers=f"Retry-After: {at}\r\n"))
    assert 80 < ask(client, server.url).retry_after <= 90


@pytest.mark.parametrize(
    "headers",
    ["", "Retry-After: soon\r\n", "Retry-After: -5\r\n", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\n"],
)
def test_a_retry_after_that_says_nothing_of_the_future_is_none(serve, client, ask, headers):
    assert ask(client, serve(always(b"", status="503 No", headers=headers)).url).retry_after is None


# What goes wrong before anything went out.


def test_a_refused_connection_is_unreachable(client, ask):
    answer = ask(client, "http://127.0.0.1:1")
    assert (answer.outcome, answer.http_status, answer.repeatable) == (Outcome.UNREACHABLE, None, True)
    assert "127.0.0.1" in answer.error


def test_a_name_that_does_not_resolve_is_unreachable(client, ask):
    answer = ask(client, "http://router.invalid:8082")
    assert (answer.outcome, answer.repeatable) == (Outcome.UNREACHABLE, True)
    assert "router.invalid" in answer.error


def test_a_connection_that_is_not_taken_in_time_is_unreachable(make_client, ask):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(address)  # now the backlog is full and further connections are not answered
            answer = ask(make_client(timeout=0.3), f"http://127.0.0.1:{address[1]}")
    assert (answer.outcome, answer.repeatable) == (Outcome.UNREACHABLE, True)
    assert answer.latency_ms == pytest.approx(300, abs=250)


def test_what_went_out_on_an_earlier_call_does_not_count_for_the_next(serve, client, ask):
    ask(client, serve(always(ROUTED)).url)
    assert ask(client, "http://127.0.0.1:1").outcome is Outcome.UNREACHABLE


# What goes wrong afterwards.


def test_an_answer_that_does_not_come_in_time_leaves_it_unknown(serve, make_client, ask):
    def script(line):
        line.read()
        line.hang()

    answer = ask(make_client(timeout=0.3), serve(script).url)
    assert (answer.outcome, answer.repeatable) == (Outcome.UNKNOWN, True)
    assert "no answer within 0.3 s" in answer.error
    assert 300 <= answer.latency_ms < 1000


def test_an_answer_that_drips_does_not_outlast_the_timeout(serve, make_client, ask):
    def script(line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not line.ended.wait(0.02):
            line.send(b" ")

    answer = ask(make_client(timeout=0.3), serve(script).url)
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.latency_ms < 1000


def test_a_router_that_stops_reading_half_way_leaves_it_unknown(serve, make_client, ask):
    def script(line):
        line.socket.recv(1)
        line.hang()

    body = b'"' + b"x" * 50_000_000 + b'"'
    assert ask(make_client(timeout=0.5), serve(script).url, body=body).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n" + ROUTED[:9],
        b"HTTP/1.1 200 OK\r\n\r\n" + ROUTED[:9],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n" + ROUTED[:9],
    ],
)
def test_a_line_dropped_before_the_whole_answer_leaves_it_unknown(serve, client, ask, half):
    def script(line):
        line.read()
        line.send(half)

    server = serve(script)
    answer = ask(client, server.url)
    assert (answer.outcome, answer.route, answer.repeatable) == (Outcome.UNKNOWN, None, True)
    assert len(server.requests) == 1


def test_an_answer_that_ends_with_its_connection_is_one(serve, client, ask):
    def script(line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\n\r\n" + ROUTED)

    assert ask(client, serve(script).url).route == "NASDAQ-EXECUTION-1"


def test_a_line_that_is_reset_leaves_it_unknown_at_once(serve, client, ask):
    def script(line):
        line.read()
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    answer = ask(client, serve(script).url)
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.latency_ms < 1000


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/7.5 200\r\n\r\n"]
)
def test_an_answer_that_is_not_http_leaves_it_unknown(serve, client, ask, said):
    def script(line):
        line.read()
        line.send(said)

    assert ask(client, serve(script).url).outcome is Outcome.UNKNOWN


# Kept connections.


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


def test_connections_to_several_routers_are_kept_whatever_the_order_of_calls(serve, make_client, ask):
    servers = [serve(always(ROUTED)) for _ in range(3)]
    client = make_client(in_flight=3)
    for number in (0, 1, 2, 0, 2, 1, 1, 0, 2, 2, 1, 0):
        assert ask(client, servers[number].url).route
    assert [(len(server.requests), server.connections) for server in servers] == [(4, 1)] * 3


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


def test_a_router_that_restarts_between_calls_is_found_again(simulate, client, ask, reactor):
    first = simulate("simulate_router")
    assert ask(client, first.url).outcome is Outcome.ACCEPTED
    first.stop()
    assert ask(client, first.url).outcome is Outcome.UNREACHABLE
    again = simulate("simulate_router", "--port", str(first.port))
    assert ask(client, again.url).outcome is Outcome.ACCEPTED
