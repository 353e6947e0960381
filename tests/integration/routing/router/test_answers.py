"""What the router's answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from routing.models import Outcome
from routing.router import MOST_BYTES
from tests.integration.routing.router.calls import ROUTED
from tests.scripted_server import always


@pytest.mark.parametrize("status", ["429 Slow Down", "502 Bad Gateway", "503 Service Unavailable"])
def test_a_router_that_says_it_did_nothing_is_unreachable_and_worth_another_try(serve, client, ask, status):
    answer = ask(client, serve(always(b"come back later", status=status)).url)
    assert answer.outcome is Outcome.UNREACHABLE
    assert answer.http_status == int(status[:3])
    assert answer.error == f"The router answered {status[:3]}: come back later"


@pytest.mark.parametrize("status", ["500 Oops", "501 No", "504 Gateway Timeout", "507 Full"])
def test_a_router_that_may_have_routed_the_order_leaves_it_unknown(serve, client, ask, status):
    answer = ask(client, serve(always(b"", status=status)).url)
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.error == f"The router answered {status[:3]}: (nothing)"


@pytest.mark.parametrize(
    "status", ["201 Created", "204 None", "301 Moved", "400 Bad", "404 None", "409 Conflict", "422 No"]
)
def test_any_other_answer_is_a_refusal_and_not_worth_another_try(serve, client, ask, status):
    answer = ask(client, serve(always(b"", status=status)).url)
    assert (answer.outcome, answer.http_status) == (Outcome.REFUSED, int(status[:3]))


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
    assert (answer.outcome, answer.route) == (Outcome.REFUSED, None)
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
