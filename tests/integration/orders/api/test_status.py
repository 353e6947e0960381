"""The status of one order: `GET /order/{orderId}`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from orders import status_cache
from orders.lifecycle import Status
from orders.models import Order, StoreRecord
from tests.book_rows import claimed, order_in_book, routed_order
from tests.callers import problem_of
from tests.integration.orders.api.shapes import STATUS_KEYS

pytestmark = pytest.mark.django_db


def test_a_routed_order_is_answered_as_in_the_spec_to_the_letter(client):
    routed_order()
    response = client.get("/order/ORD-20260214-001")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    assert response.content.decode() == (
        '{"orderId":"ORD-20260214-001","status":"ROUTED","symbol":"AAPL","side":"BUY","quantity":100,'
        '"price":145.50,"route":"NASDAQ-EXECUTION-1","created_at":"2026-02-14T10:30:45Z",'
        '"routed_at":"2026-02-14T10:30:48Z"}'
    )


def test_an_order_not_yet_routed_has_nulls_for_what_has_not_happened(client):
    order_in_book()
    document = client.get("/order/ORD-20260214-001").json()
    assert list(document) == STATUS_KEYS
    assert (document["status"], document["route"], document["routed_at"]) == ("PLACED", None, None)


def test_the_answer_is_the_same_from_the_cache_and_from_sql(client):
    routed_order(quantity=Decimal("0.5"), price=Decimal("0.12345"))
    from_sql = client.get("/order/ORD-20260214-001").content
    assert StoreRecord.objects.filter(key="orderStatus:ORD-20260214-001").exists()
    Order.objects.all().update(symbol="NOT FROM HERE")
    assert client.get("/order/ORD-20260214-001").content == from_sql


def test_a_miss_asks_the_order_book_once_and_refills_the_cache(client, django_assert_num_queries):
    order_in_book()
    with django_assert_num_queries(3) as queries:
        client.get("/order/ORD-20260214-001")
    assert sum('FROM "orders"' in query["sql"] for query in queries.captured_queries) == 1


def test_a_hit_does_not_ask_the_order_book(client, django_assert_num_queries):
    status_cache.from_settings().put(order_in_book())
    with django_assert_num_queries(1) as queries:
        assert client.get("/order/ORD-20260214-001").status_code == 200
    assert "store_records" in queries.captured_queries[0]["sql"]


@pytest.mark.parametrize("seconds", [-120, 3600], ids=["old", "dated in the future"])
def test_a_copy_that_is_old_or_from_the_future_is_not_believed_while_the_order_may_change(client, seconds):
    status_cache.from_settings().put(order_in_book())
    record = StoreRecord.objects.get()
    record.bins["written_at"] += seconds
    record.save()
    Order.objects.update(status=Status.CANCELED, version=2)
    assert client.get("/order/ORD-20260214-001").json()["status"] == "CANCELED"


def test_without_the_store_sql_answers(client, monkeypatch):
    def unavailable(statement: str, parameters: Any) -> Any:
        raise OperationalError("no store")

    monkeypatch.setattr("orders.status_cache.run_in_django", unavailable)
    order_in_book()
    assert client.get("/order/ORD-20260214-001").json()["status"] == "PLACED"


def test_an_unknown_order_is_a_404_that_names_it(client):
    document = problem_of(client.get("/order/ORD-404"), 404)
    assert "ORD-404" in document["detail"]


@pytest.mark.parametrize(
    "order_id",
    ["A" * 65, "a%20b", "a%00b", "a%0A", "%F0%9F%92%A9", "a;b", "a,b", "a%25", "a%2Fb", "'or'1"],
)
def test_what_cannot_be_an_order_id_is_a_404_without_asking_sql(client, order_id, django_assert_num_queries):
    with django_assert_num_queries(0):
        problem_of(client.get(f"/order/{order_id}"), 404)


@pytest.mark.parametrize("order_id", ["A" * 64, "a.b", "a_b", "a:b-c", "0"])
def test_whatever_may_be_an_order_id_is_looked_up(client, order_id):
    order_in_book(order_id)
    assert client.get(f"/order/{order_id}").json()["orderId"] == order_id


def test_head_is_answered_without_a_body(client):
    order_in_book()
    response = client.head("/order/ORD-20260214-001")
    assert (response.status_code, response.content) == (200, b"")


def test_a_slash_at_the_end_is_another_path(client):
    order_in_book()
    problem_of(client.get("/order/ORD-20260214-001/"), 404)


def test_no_cache_on_the_way_may_keep_a_status(client):
    order_in_book()
    assert "no-store" in client.get("/order/ORD-20260214-001")["Cache-Control"]


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "post"])
def test_the_status_of_an_order_can_only_be_read(client, method):
    order_in_book()
    response = getattr(client, method)("/order/ORD-20260214-001")
    problem_of(response, 405)
    assert "GET" in response["Allow"]


def test_an_order_that_is_being_routed_can_be_read_like_any_other(client):
    order_in_book(**claimed())
    assert client.get("/order/ORD-20260214-001").json()["status"] == "PLACED"
