"""Orders page by page: `GET /order`."""

from __future__ import annotations

import base64
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from tests.book_rows import CREATED_AT, order_in_book, parked_order, routed_order
from tests.callers import problem_of
from tests.integration.orders.api.shapes import STATUS_KEYS

pytestmark = pytest.mark.django_db


def test_orders_come_newest_first_in_their_richer_form(as_reader):
    routed_order("OLD", counterparty="ACME")
    parked_order("NEW", created_at=CREATED_AT + timedelta(seconds=1))
    response = as_reader.get("/order")
    new, old = response.json()["results"]
    assert (new["orderId"], new["needs_review"], new["review_reason"]) == (
        "NEW",
        True,
        "the router refused it",
    )
    assert (old["orderId"], old["counterparty"], old["version"]) == ("OLD", "ACME", 2)
    assert {"updated_at", *STATUS_KEYS} <= set(old)


def test_numbers_and_times_of_a_list_are_in_the_spec_s_form(as_reader):
    routed_order(quantity=Decimal("0.5"))
    text = as_reader.get("/order").content.decode()
    assert '"quantity":0.5,"price":145.50,' in text
    assert '"created_at":"2026-02-14T10:30:45Z","routed_at":"2026-02-14T10:30:48Z"' in text


def test_a_page_is_one_query_for_the_columns_that_it_shows(as_reader):
    routed_order("OLD")
    with CaptureQueriesContext(connection) as asked:
        assert len(as_reader.get("/order").json()["results"]) == 1
    (query,) = (each["sql"] for each in asked if ' FROM "orders"' in each["sql"])
    assert '"orders"."review_reason"' in query
    assert not [column for column in ("extra", "digest", "claim", "message_id") if column in query]


def test_an_empty_book_is_an_empty_page(as_reader):
    assert as_reader.get("/order").json() == {"next": None, "previous": None, "results": []}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=ROUTED", {"R"}),
        ("status=PENDING_ROUTE", {"P"}),
        ("needs_review=true", {"P"}),
        ("needs_review=false", {"R", "N"}),
        ("counterparty=ACME", {"R", "P"}),
        ("symbol=MSFT", {"N"}),
        ("counterparty=ACME&status=ROUTED", {"R"}),
        ("symbol=NOTHING", set()),
    ],
)
def test_filters_choose_what_is_listed(as_reader, query, expected):
    routed_order("R", counterparty="ACME")
    parked_order("P", counterparty="ACME")
    order_in_book("N", symbol="MSFT")
    assert {order["orderId"] for order in as_reader.get(f"/order?{query}").json()["results"]} == expected


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("status=LOST", "status", "PENDING_ROUTE"),
        ("needs_review=perhaps", "needs_review", "true nor false"),
        ("statsu=ROUTED", "statsu", "status"),
        ("symbol=" + "x" * 33, "symbol", "32"),
        ("symbol=%00", "symbol", "printable"),
        ("symbol=%20AAPL", "symbol", "white space"),
        ("limit=many", "limit", "1 to 1000"),
        ("limit=0", "limit", "1 to 1000"),
        ("limit=1001", "limit", "1 to 1000"),
        ("status=", "status", "PLACED"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_with_what_can(as_reader, query, field, says):
    document = problem_of(as_reader.get(f"/order?{query}"), 400)
    assert [error["field"] for error in document["errors"]] == [field]
    assert says in document["errors"][0]["detail"]


@pytest.mark.parametrize(
    "cursor",
    [
        "%F0%9F%92%A9",
        *(base64.b64encode(f"p={time}".encode()).decode() for time in ("yesterday", "2026-02-31T00:00:00Z")),
    ],
)
def test_a_cursor_of_nowhere_leads_nowhere(as_reader, cursor):
    problem_of(as_reader.get(f"/order?cursor={cursor}"), 404)


def test_an_absurd_offset_in_a_cursor_finds_nothing(as_reader):
    order_in_book()
    cursor = base64.b64encode(b"o=999999999999999999999999").decode()
    assert as_reader.get(f"/order?cursor={cursor}").json()["results"] == []


def test_pages_show_each_order_once_though_thousands_have_the_same_time(as_reader):
    template = order_in_book("T-0000")
    rows = []
    for number in range(1, 2500):
        template.pk = f"T-{number:04}"
        rows.append(
            Order(**{field.attname: getattr(template, field.attname) for field in Order._meta.fields})
        )
    Order.objects.bulk_create(rows)
    seen, url = [], "/order?limit=400"
    while url:
        page = as_reader.get(url).json()
        seen += [order["orderId"] for order in page["results"]]
        url = page["next"]
    assert seen == [f"T-{number:04}" for number in range(2500)]


def test_an_order_that_arrives_meanwhile_moves_no_page(as_reader):
    for number in range(4):
        order_in_book(f"T-{number}", created_at=CREATED_AT + timedelta(seconds=number))
    first = as_reader.get("/order?limit=2").json()
    order_in_book("LATER", created_at=CREATED_AT + timedelta(minutes=1))
    second = as_reader.get(first["next"]).json()
    assert [order["orderId"] for order in first["results"] + second["results"]] == [
        "T-3",
        "T-2",
        "T-1",
        "T-0",
    ]


def test_a_page_is_one_query_however_many_orders_it_has(as_reader, django_assert_num_queries):
    for number in range(5):
        routed_order(f"T-{number}")
    as_reader.get("/order")  # notes that the session is used, which the next minute's requests do not
    with django_assert_num_queries(5):  # session, user, permissions of the user and of groups, orders
        as_reader.get("/order")
