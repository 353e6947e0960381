"""An order entered by hand: `POST /order`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError
from django.test import Client

from orders.lifecycle import Event, Status
from orders.models import Order, OrderEvent
from tests.book_rows import CREATED_AT
from tests.callers import basic, bearing, person, problem_of
from tests.integration.orders.api.shapes import STATUS_KEYS

pytestmark = pytest.mark.django_db

NEW = '{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'


def post(client: Client, body: str | bytes, content_type: str = "application/json", **extra: Any) -> Any:
    # Named twice: for an empty body Django's client sends none.
    return client.post("/order", body, content_type=content_type, CONTENT_TYPE=content_type, **extra)


def test_a_new_order_is_written_and_waits_to_be_routed(as_trader):
    response = post(as_trader, NEW)
    assert response.status_code == 201
    assert response["Location"] == "/order/TEST-001"
    document = json.loads(response.content, parse_float=str)
    assert list(document) == STATUS_KEYS
    assert (document["status"], document["price"], document["quantity"]) == ("PLACED", "420.00", 50)
    order = Order.objects.get()
    assert (order.status, order.claim, order.version) == (Status.PLACED, None, 1)
    assert re.fullmatch(r"api:[0-9a-f-]{36}", order.message_id)
    event = OrderEvent.objects.get()
    assert (event.sequence, event.event, event.actor) == (1, Event.PLACED, "trader")


def test_what_was_created_can_be_read_at_its_location(as_trader):
    response = post(as_trader, NEW)
    assert as_trader.get(response["Location"]).content == response.content


def test_without_a_time_the_order_is_of_now(as_trader):
    before = datetime.now(UTC)
    post(as_trader, NEW)
    assert before <= Order.objects.get().created_at <= datetime.now(UTC)


def test_what_this_service_does_not_know_is_kept(as_trader):
    post(as_trader, NEW[:-1] + ', "counterparty": "ACME", "desk": {"id": 7}}')
    order = Order.objects.get()
    assert order.counterparty == "ACME"
    assert json.loads(order.extra) == {"desk": {"id": 7}}


def test_the_same_order_again_is_answered_with_its_status_and_changes_nothing(as_trader):
    post(as_trader, NEW)
    again = post(
        as_trader, '{"price": 420, "side":"SELL","symbol":"MSFT","quantity":50.0,"orderId":"TEST-001"}'
    )
    assert again.status_code == 200
    assert again.json()["orderId"] == "TEST-001"
    assert OrderEvent.objects.count() == 1


def test_the_same_order_again_after_its_routing_says_that_it_is_routed(as_trader):
    post(as_trader, NEW)
    Order.objects.update(status=Status.ROUTED, route="NYSE", routed_at=CREATED_AT, version=2)
    assert post(as_trader, NEW).json()["route"] == "NYSE"


def test_another_order_of_a_known_id_is_a_conflict_and_changes_nothing(as_trader):
    post(as_trader, NEW)
    document = problem_of(post(as_trader, NEW.replace("50", "51")), 409)
    assert "TEST-001" in document["detail"]
    assert Order.objects.get().quantity == 50


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        (NEW.replace("420.00", "-1"), "price", "-1"),
        (NEW.replace("50", '"fifty"'), "quantity", "fifty"),
        (NEW.replace('"side": "SELL", ', ""), "side", "BUY"),
        (NEW.replace("SELL", "HOLD"), "side", "HOLD"),
        (NEW.replace("TEST-001", "no spaces"), "orderId", "no spaces"),
        ("{", "", ""),
        ("", "", ""),
        ("[]", "", ""),
        (b"\xff\xfe", "", ""),
        (NEW.replace("420.00", "NaN"), "", ""),
        (NEW.replace("MSFT", "a\\u0000b"), "symbol", ""),
        (NEW.replace("MSFT", "\\ud800"), "", ""),
    ],
)
def test_an_invalid_order_is_refused_naming_the_field_and_what_it_holds(as_trader, body, field, says):
    document = problem_of(post(as_trader, body), 400)
    assert document["field"].startswith(field)
    assert field in document["detail"]
    assert says in document["detail"]
    assert not Order.objects.exists()


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_body_larger_than_any_order_is_a_413(as_trader, size):
    problem_of(post(as_trader, NEW[:-1] + f', "note": "{"x" * size}"}}'), 413)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
def test_another_content_type_is_a_415(as_trader, content_type):
    document = problem_of(post(as_trader, NEW, content_type), 415)
    assert "application/json" in document["detail"]


def test_a_form_of_many_parts_is_a_415(as_trader):
    problem_of(as_trader.post("/order", {"orderId": "TEST-001"}), 415)


def test_a_charset_of_utf_8_is_fine(as_trader):
    assert post(as_trader, NEW, 'application/json; charset="UTF-8"').status_code == 201


def test_a_body_of_unknown_length_is_a_411(as_trader):
    problem_of(post(as_trader, NEW, headers={"Transfer-Encoding": "chunked"}), 411)


def test_a_stranger_is_asked_who_he_is(client):
    response = post(client, NEW)
    problem_of(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="order-entry", Basic realm="order-entry"'
    assert not Order.objects.exists()


def test_a_wrong_password_is_a_401(client):
    person("trader", "add_order")
    problem_of(post(client, NEW, headers=basic("trader", "wrong")), 401)


def test_name_and_password_will_do(client):
    person("trader", "add_order")
    assert post(client, NEW, headers=basic("trader")).status_code == 201


def test_someone_without_the_permission_is_refused(as_reader):
    problem_of(post(as_reader, NEW), 403)
    assert not Order.objects.exists()


def test_without_sql_the_answer_is_to_come_back_later(as_trader, monkeypatch):
    def down(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("connection to server at 10.0.0.7 failed: password of order_entry")

    monkeypatch.setattr("orders.api.views.book.enter", down)
    response = post(as_trader, NEW)
    document = problem_of(response, 503)
    assert response["Retry-After"]
    assert "10.0.0.7" not in json.dumps(document)


def test_creation_switched_off_creates_no_order_and_the_document_does_not_name_it(client, configure):
    configure("api", allow_create=False)
    answer = post(bearing("create"), NEW)
    problem_of(answer, 405)
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    assert not Order.objects.exists()
    assert set(client.get("/openapi.json").json()["paths"]["/order"]) == {"get"}
    assert bearing("read", name="reader").get("/order").status_code == 200


def test_by_default_orders_are_created_and_the_document_names_it(client):
    assert settings.CONFIG.api.allow_create
    assert post(bearing("create"), NEW).status_code == 201
    assert set(client.get("/openapi.json").json()["paths"]["/order"]) == {"get", "post"}
