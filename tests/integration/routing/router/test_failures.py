"""Calls that get no answer: before anything went out the router cannot have routed, afterwards it may have."""

from __future__ import annotations

import socket
import struct

import pytest

from routing.models import Outcome
from tests.integration.routing.router.calls import ROUTED
from tests.scripted_server import always

# Before anything went out.


def test_a_refused_connection_is_unreachable(client, ask):
    answer = ask(client, "http://127.0.0.1:1")
    assert (answer.outcome, answer.http_status) == (Outcome.UNREACHABLE, None)
    assert "127.0.0.1" in answer.error


def test_a_name_that_does_not_resolve_is_unreachable(client, ask):
    answer = ask(client, "http://router.invalid:8082")
    assert answer.outcome is Outcome.UNREACHABLE
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
    assert answer.outcome is Outcome.UNREACHABLE
    assert answer.latency_ms == pytest.approx(300, abs=250)


def test_what_went_out_on_an_earlier_call_does_not_count_for_the_next(serve, client, ask):
    ask(client, serve(always(ROUTED)).url)
    assert ask(client, "http://127.0.0.1:1").outcome is Outcome.UNREACHABLE


# Afterwards.


def test_an_answer_that_does_not_come_in_time_leaves_it_unknown(serve, make_client, ask):
    def script(line):
        line.read()
        line.hang()

    answer = ask(make_client(timeout=0.3), serve(script).url)
    assert answer.outcome is Outcome.UNKNOWN
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
    assert (answer.outcome, answer.route) == (Outcome.UNKNOWN, None)
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
