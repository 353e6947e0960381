"""An order's page tells its whole story, and mends what the cache says of it."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from consumers.models import RejectedMessage
from orders import audit, halts, status_cache
from orders.models import AuditEntry, Order
from orders.stores.port import StoreUnavailable
from routing.dossier import dossier
from routing.models import OrderRoute
from routing.story import story
from tests.book_rows import CREATED_AT, ROUTED_AT, claimed, order_in_book, parked_order, routed_order
from tests.people import person

pytestmark = pytest.mark.django_db

ID = "ORD-20260214-001"
PAGE = f"/admin/orders/order/{ID}/change/"
REPAIR = f"/admin/orders/order/{ID}/repair-cache/"


@pytest.fixture
def viewer() -> Client:
    return person("anna", "view_order")


@pytest.fixture
def operator() -> Client:
    return person("anna", "view_order", "repair_cache")


def attempt(order: Order, number: int, outcome: str, **fields) -> OrderRoute:
    row = {
        "id": uuid4(),
        "order": order,
        "attempt": number,
        "outcome": outcome,
        "endpoint": "http://router:8082",
        "decided_by": "worker-1",
        "latency_ms": 12.5,
        "decided_at": ROUTED_AT,
    }
    return OrderRoute.objects.create(**(row | fields))


def titles(order: Order) -> list[str]:
    return [told.entry.title for told in story(order, dossier(order.order_id))]


def test_the_story_is_told_in_the_order_in_which_it_happened():
    order = routed_order(extra='{"desk": "7"}')
    order.events.filter()
    soon = order.placed_at + timedelta(seconds=1)
    attempt(order, 1, "UNREACHABLE", decided_at=soon, error="refused the connection")
    attempt(
        order,
        2,
        "ACCEPTED",
        route="NYSE",
        http_status=200,
        decided_at=soon + timedelta(milliseconds=20),
        publish_after=soon,
        published_at=soon + timedelta(milliseconds=45),
    )
    RejectedMessage.objects.create(
        queue="Q", message_id="m-9", body=b"x", body_hash=bytes(32), reason="CONFLICT", error="other price",
        order_id=ID, rejected_at=soon + timedelta(hours=1),
    )  # fmt: skip
    told = story(order, dossier(ID))
    assert [entry.entry.title for entry in told] == [
        f"Message m-{ID} brought the order",
        "Placed",
        "Routed",
        "Call 1: Unreachable",
        "Call 2: Accepted, NYSE",
        f"Published to TRADE.ROUTED.ORDERS as routed:{ID}",
        "Message m-9 was rejected: Conflict",
    ]
    assert [entry.gap for entry in told[3:]][1:] == ["+20 ms", "+25 ms", "+3600.0 s"] or told[
        6
    ].gap == "+0:59:59"
    assert told[0].gap == ""


def test_a_call_is_shown_with_its_request_to_the_letter_and_its_response(viewer):
    order = parked_order(extra='{"desk": "7"}')
    attempt(order, 1, "REFUSED", http_status=422, error="the router answered 422: no such symbol")
    page = viewer.get(PAGE).content.decode().replace("&quot;", '"')
    for text in (
        "POST http://router:8082/route",
        f"Idempotency-Key: {ID}",
        '"price": 145.50',
        '"desk": "7"',
        "HTTP 422",
        "after 12.5 ms",
        "no such symbol",
    ):
        assert text in page


def test_audit_entries_of_the_order_are_part_of_its_story():
    order = order_in_book()
    audit.record(actor="anna", action="order.retry", subject=ID, detail={"reason": "asked by phone", "n": 1})
    (entry,) = [told.entry for told in story(order, dossier(ID)) if told.entry.kind == "audit"]
    assert (entry.title, entry.who, entry.why) == ("order.retry", "anna", "asked by phone")


def test_what_holds_an_order_is_said_first(viewer):
    parked_order(**claimed())
    halts.halt(reason="news pending", actor="bert", symbol="AAPL")
    page = viewer.get(PAGE).content.decode()
    for text in (
        "In review:",
        "the router refused it",
        "Held by a halt of AAPL:",
        "news pending",
        "Being routed",
    ):
        assert text in page


def test_a_decision_by_hand_names_who_and_why():
    order = routed_order()
    attempt(
        order, 1, "MANUAL", route="LSE", endpoint="", latency_ms=None, decided_by="anna", reason="by phone"
    )
    assert "Decided: LSE" in titles(order)


def test_where_its_time_went_is_shown(viewer):
    order = routed_order()
    attempt(order, 1, "ACCEPTED", route="NYSE", http_status=200, stages_ms=[1, 2, 3, 4, 5])
    page = viewer.get(PAGE).content.decode()
    assert "asking the router" in page
    assert "12.50" in page


def test_a_cache_that_agrees_is_said_to(operator):
    status_cache.from_settings().put(routed_order())
    page = operator.get(PAGE).content.decode()
    assert "They agree." in page
    assert REPAIR not in page


def test_differences_between_cache_and_sql_are_marked_and_mended_by_one_click(operator):
    order = order_in_book()
    status_cache.from_settings().put(order)
    Order.objects.filter(pk=ID).update(status="ROUTED", route="NYSE", routed_at=CREATED_AT, version=2)
    page = operator.get(PAGE).content.decode()
    assert re.search(r"(\d+) fields differ<", page)
    assert page.count("<td>differs</td>") >= 2
    response = operator.post(REPAIR, follow=True)
    assert "The cache agrees with the book again." in response.content.decode()
    assert "They agree." in response.content.decode()
    entry = AuditEntry.objects.get(action="cache.repair")
    assert (entry.actor, entry.subject, entry.detail["different"]) == ("anna", ID, 1)
    assert "The cache agreed with the book already." in operator.post(REPAIR, follow=True).content.decode()


def test_an_order_the_cache_has_nothing_of_is_written_there(operator):
    order_in_book()
    assert "The cache has nothing of this order." in operator.get(PAGE).content.decode()
    operator.post(REPAIR)
    assert status_cache.from_settings().get(ID)


def test_a_cache_that_is_away_is_said_to_be(operator, monkeypatch):
    def away(*_):
        raise StoreUnavailable("no node answers")

    order_in_book()
    monkeypatch.setattr(status_cache.StatusCache, "records", away)
    assert "The cache could not be asked: no node answers" in operator.get(PAGE).content.decode()
    assert "could not be asked: no node answers." in operator.post(REPAIR, follow=True).content.decode()
    assert not AuditEntry.objects.filter(action="cache.repair").exists()


def test_who_may_only_look_neither_sees_the_button_nor_can_use_it(viewer):
    order_in_book()
    assert REPAIR not in viewer.get(PAGE).content.decode()
    assert viewer.post(REPAIR).status_code == 403
    assert not AuditEntry.objects.filter(action="cache.repair").exists()


def test_a_look_repairs_nothing(operator):
    order_in_book()
    assert operator.get(REPAIR).status_code == 405


def test_there_is_nothing_to_repair_of_an_order_that_is_not_there(operator):
    assert operator.post("/admin/orders/order/ORD-404/repair-cache/").status_code == 404
