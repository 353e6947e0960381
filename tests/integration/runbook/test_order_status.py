"""One order in full: what SQL, the cache and the router know of it."""

import json
from uuid import uuid4

import pytest

from orders import audit, halts, status_cache
from orders.stores.port import Record
from routing.models import OrderRoute, Outcome
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.runbook import run


def tried(order, attempt, outcome, **fields):
    row = {"decided_by": "worker@a:1", "endpoint": "http://router:8082", "error": ""} | fields
    OrderRoute.objects.create(id=uuid4(), order=order, attempt=attempt, outcome=outcome, **row)


def cached(order, **changes):
    """The record of an order, with bins changed by hand."""
    cache = status_cache.from_settings()
    record = cache.record_of(order)
    cache.store.write([Record(record.key, record.bins | changes, record.version, record.ttl)])


def test_an_order_comes_with_its_routes_and_events_first_to_last(each_store):
    order = routed_order()
    tried(order, 1, Outcome.REFUSED, http_status=503, error="the router is busy")
    tried(order, 2, Outcome.ACCEPTED, route="NASDAQ-EXECUTION-1", http_status=200)
    cached(order)

    answer = run("order_status", order.order_id, "--json")

    assert answer.code == 0
    found = answer.json
    assert (found["order"]["orderId"], found["order"]["status"]) == ("ORD-20260214-001", "ROUTED")
    assert '"price":145.50' in answer.text
    assert [(route["attempt"], route["outcome"]) for route in found["routes"]] == [
        (1, "REFUSED"),
        (2, "ACCEPTED"),
    ]
    assert [event["event"] for event in found["events"]] == ["PLACED", "ROUTED"]
    assert found["cache"]["store"] == each_store
    assert found["cache"]["record"]["status"] == "ROUTED"
    assert found["cache"]["differences"] == []


def test_each_field_that_the_cache_has_otherwise_is_marked(each_store):
    order = routed_order()
    record = status_cache.from_settings().record_of(order)
    document = json.loads(record.bins["value"]) | {"status": "PENDING_ROUTE", "route": None}
    cached(order, value=json.dumps(document), symbol="MSFT")

    differences = run("order_status", order.order_id, "--json").json["cache"]["differences"]
    assert {"field": "status", "sql": "ROUTED", "cache": "PENDING_ROUTE"} in differences
    assert {"field": "route", "sql": "NASDAQ-EXECUTION-1", "cache": None} in differences
    assert {"field": "symbol (bin)", "sql": None, "cache": "MSFT"} in differences

    lines = run("order_status", order.order_id).lines
    assert ["status", "ROUTED", "PENDING_ROUTE", "differs"] in lines
    assert ["symbol", "AAPL", "AAPL"] in lines


@pytest.mark.parametrize("value", ["not JSON", "[]", '"text"', "{"])
def test_what_is_no_document_under_the_orders_key_is_shown_as_it_is(db, value):
    order = routed_order()
    cached(order, value=value)
    differences = run("order_status", order.order_id, "--json").json["cache"]["differences"]
    assert {"field": "value", "sql": None, "cache": value} in differences


def test_an_order_that_the_cache_does_not_have_is_shown_all_the_same(each_store):
    order_in_book(**claimed())
    answer = run("order_status", "ORD-20260214-001", "--json")
    assert answer.code == 0
    assert answer.json["cache"]["record"] is None
    assert answer.json["order"]["claimed_until"] is not None
    assert ["status", "PLACED"] in run("order_status", "ORD-20260214-001").lines


def test_there_is_no_such_order_and_the_command_says_so(each_store):
    answer = run("order_status", "ORD-404")
    assert (answer.code, answer.text) == (1, "")
    assert answer.errors == "There is no order ORD-404 in SQL."


def test_an_order_that_only_the_cache_has_is_told_and_how_to_remove_it(each_store):
    order = routed_order()
    order.order_id = "ORD-LOST"
    cached(order)
    answer = run("order_status", "ORD-LOST", "--json")
    assert answer.code == 1
    assert answer.json["order"] is None
    assert answer.json["cache"]["record"]["status"] == "ROUTED"
    assert "clear_idempotency ORD-LOST removes it" in answer.errors


def test_a_store_that_is_down_is_said_and_the_rest_is_shown(dead_store):
    parked_order()
    answer = run("order_status", "ORD-20260214-001", "--json")
    assert answer.code == 0
    assert "The cache could not be asked: Redis:" in answer.errors
    assert answer.json["cache"]["failure"].startswith("Redis:")
    assert [event["event"] for event in answer.json["events"]] == [
        "PLACED",
        "PENDING_ROUTE",
        "REVIEW_REQUIRED",
    ]


def test_what_people_did_and_what_holds_it_belong_to_the_story(db):
    parked_order()
    audit.record(actor="ann", action="order.retry", subject="ORD-20260214-001", detail={"reason": "limits"})
    audit.record(actor="ann", action="order.retry", subject="ANOTHER", detail={})
    halts.halt(reason="feed is wrong", actor="sue", symbol="AAPL")
    halts.halt(reason="not this one", actor="sue", symbol="MSFT")
    halts.halt(reason="nor this one", actor="sue", counterparty="ACME")

    found = run("order_status", "ORD-20260214-001", "--json").json
    assert [(entry["actor"], entry["detail"]) for entry in found["audit"]] == [("ann", {"reason": "limits"})]
    assert [halt["reason"] for halt in found["halts"]] == ["feed is wrong"]


def test_text_from_outside_can_neither_style_nor_steer_a_terminal(db):
    order = parked_order()
    tried(order, 1, Outcome.REFUSED, error="[bold]no[/bold] \x1b[2J\nmore")
    text = run("order_status", order.order_id).text
    assert r"[bold]no[/bold] \x1b[2J\nmore" in text
    assert "\x1b" not in text
