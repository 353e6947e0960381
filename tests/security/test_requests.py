"""What is meant to be more than a value stays one: in paths, filters, bodies and headers of the API."""

from __future__ import annotations

import json
import logging
import time

import pytest
from django.test import Client

from order_entry_project.logs import JsonLines
from orders.models import Order
from tests.book_rows import order_in_book, routed_order
from tests.callers import bearing

pytestmark = pytest.mark.django_db

INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE orders; --",
    '" OR ""="',
    "\\'; SELECT pg_sleep(5); --",
    "%' AND 1=(SELECT 1/0) --",
    "{{7*7}}${7*7}#{7*7}%s%n%(password)s",
    "\r\nSet-Cookie: let=in",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\N{FULLWIDTH APOSTROPHE}\N{MODIFIER LETTER APOSTROPHE}",
    "../../etc/passwd",
    "x" * 3000,
]
PATHS = [
    "/order/../admin/",
    "/order/%2e%2e/admin/",
    "/order/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/order/..%5c..%5cetc",
    "/order//ORD-1",
    "//order/ORD-1/events",
    "/order/ORD-1%00",
    "/order/ORD-1%00.json",
    "/order/ORD-1;/events",
    "/order/ORD-1%3f/events",
    "/order/ORD-1%23",
    "/order/ORD-1%0d%0aSet-Cookie:%20let=in",
    "/order/%C0%AE%C0%AE/events",
    "/order/%ff",
    "/order/ORD-1/events/",
    "/static/../manage.py",
    "/static/%2e%2e/%2e%2e/manage.py",
    "/static//etc/passwd",
]


def caller() -> Client:
    client = bearing("read", "create", "operate")
    client.raise_request_exception = False
    return client


def create(client: Client, body: bytes | str, **extra):
    return client.post("/order", body, content_type="application/json", **extra)


def order(**fields) -> str:
    return json.dumps({"orderId": "NEW", "symbol": "X", "side": "BUY", "quantity": 1, "price": 1} | fields)


@pytest.mark.parametrize(
    "name", ["status", "counterparty", "symbol", "needs_review", "cursor", "limit", "view", "nowhere"]
)
def test_a_filter_finds_what_it_names_and_nothing_else(name, nothing_changes):
    client = caller()
    routed_order(counterparty="ACME")
    began = time.monotonic()
    with nothing_changes:
        for text in INJECTIONS:
            response = client.get("/order", {name: text})
            assert response.status_code in {200, 400, 404}
            if response.status_code == 200:
                # What is no number is no limit, and what says nothing is no cursor.
                assert name in {"limit", "cursor"} or not response.json()["results"], text
            assert not response.cookies
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_pretends_leads_nowhere(path, nothing_changes):
    client = caller()
    order_in_book("ORD-1")
    with nothing_changes:
        response = client.generic("GET", path)
    assert response.status_code in {301, 400, 404}
    if response.status_code == 301:
        assert response["Location"].startswith("/admin/")
    assert b"SECRET_KEY" not in response.content
    assert not response.cookies


@pytest.mark.parametrize("name", ["orderId", "symbol", "side", "counterparty", "created_at", "quantity"])
def test_a_field_that_pretends_is_refused_or_is_a_value(name):
    routed_order("KNOWN")
    client, taken = caller(), {}
    for number, text in enumerate([*INJECTIONS, "a\0b", "a\nb", "\ud800"]):
        response = create(client, order(**{"orderId": f"NEW-{number}", name: text}))
        assert response.status_code in {201, 400}, text
        if response.status_code == 201:
            taken[f"NEW-{number}"] = text
    assert bool(taken) == (name in {"symbol", "counterparty"})
    found = {new.pk: getattr(new, name) for new in Order.objects.exclude(pk="KNOWN")}
    assert found == taken
    assert all(text.isprintable() for text in taken.values())
    assert Order.objects.get(pk="KNOWN").status == "ROUTED"


BOMBS = {
    "deep lists": '{"x":' * 1 + "[" * 30_000 + "]" * 30_000 + "}",
    "deep objects": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "huge exponent": order().replace('"price": 1', '"price": 1e999999999'),
    "tiny exponent": order().replace('"price": 1', '"price": 1e-999999999'),
    "huge number": order().replace('"price": 1', '"price": ' + "9" * 60_000),
    "no number": order().replace('"price": 1', '"price": NaN'),
    "infinity": order().replace('"price": 1', '"price": Infinity'),
    "twice": order().replace('"price": 1', '"price": 1, "price": 2'),
    "twice id": order().replace('"symbol"', '"orderId": "OTHER", "symbol"'),
    "a list": "[" + order() + "]",
    "two": order() + order(),
    "half a pair": order().replace('"X"', '"\\ud800"'),
    "no utf-8": order().encode().replace(b'"X"', b'"\xff"'),
    "utf-16": order().encode("utf-16"),
    "mark": b"\xef\xbb\xbf" + order().encode(),
    "nothing": b" ",
    "nul": b"\0" * 60_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_body_that_is_meant_to_break_the_reader_is_refused_at_once(bomb, nothing_changes):
    client = caller()
    order_in_book()
    began = time.monotonic()
    with nothing_changes:
        response = create(client, BOMBS[bomb])
    assert response.status_code == 400, response.content
    assert time.monotonic() - began < 1
    assert len(response.content) < 2000
    assert json.loads(response.content)["detail"]


def test_a_number_of_any_length_that_is_kept_as_it_came_breaks_no_page(superuser):
    huge = order(x=0).replace('"x": 0', '"x": ' + "9" * 60_000)
    assert create(caller(), huge).status_code == 201
    for path in (
        "/order/NEW",
        "/order/NEW?view=full",
        "/order",
        "/admin/orders/order/",
        "/admin/orders/order/NEW/change/",
    ):
        assert superuser.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": "00-x\r\nSet-Cookie: let=in"},
        {"traceparent": "00-" + "0" * 5000},
        {"Accept": "../../etc/passwd"},
        {"Accept": "text/html;q=x" * 200},
        {"Accept-Language": "../../../etc/passwd"},
        {"If-Modified-Since": "' OR 1=1"},
        {"Range": "bytes=0-0,-1" * 500},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Original-URL": "/admin/"},
        {"Cookie": "sessionid=' OR 1=1; csrftoken=\x01"},
        {"Authorization": "Bearer ' OR '1'='1"},
        {"Authorization": "Bearer " + "x" * 7000},
        {"Content-Length": "-1"},
    ],
    ids=range(13),
)
def test_a_header_that_pretends_does_nothing(headers, nothing_changes):
    client = caller()
    order_in_book("ORD-1")
    with nothing_changes:
        for path in ("/order/ORD-1", "/order", "/admin/login/"):
            response = client.get(path, headers=headers)
            assert response.status_code in {200, 400, 401, 406}, path
            assert "let" not in response.cookies
    assert Order.objects.filter(pk="ORD-1").exists()


def test_a_line_of_a_log_stays_one_line_whatever_is_logged():
    hostile = 'x\r\n{"level":"INFO","message":"forged"}\n\u2028\u0085\x1b[2J\0"}'
    record = logging.makeLogRecord({"msg": "of %s", "args": (hostile,), "orderId": hostile, hostile: hostile})
    batch = logging.makeLogRecord({"msg": "", "lines": [{"message": hostile, hostile: hostile}] * 3})
    assert json.loads(_one_line(JsonLines().format(record)))["message"] == f"of {hostile}"
    lines = JsonLines().format(batch).split("\n")
    assert len(lines) == 3
    assert all(json.loads(_one_line(line))["message"] == hostile for line in lines)


def _one_line(text: str) -> str:
    assert not {"\n", "\r", "\x1b", "\0"} & set(text)
    return text
