"""`Idempotency-Key` on the writes that are no operations on an order: see those in routing/api."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from orders.api import idempotency
from orders.models import AuditEntry, Halt, KeptAnswer, Order
from tests.callers import bearing, problem_of

pytestmark = pytest.mark.django_db

ORDER = {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.5}
HALT = {"symbol": "MSFT", "reason": "wrong prices in the feed"}


@pytest.fixture
def tool() -> Client:
    return bearing("create", "operate")


def post(client: Client, path: str, body: Any, key: str = "k-1") -> Any:
    return client.post(path, body, content_type="application/json", headers={"Idempotency-Key": key})


def test_an_order_that_is_sent_again_under_its_key_is_answered_201_again(tool):
    first, again = (post(tool, "/order", ORDER) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first["Location"]) == (again.content, again["Location"])
    assert post(tool, "/order", ORDER, key="k-2").status_code == 200
    assert Order.objects.count() == 1


def test_another_order_under_the_same_key_is_refused_and_not_written(tool):
    post(tool, "/order", ORDER)
    problem_of(post(tool, "/order", {**ORDER, "orderId": "TEST-002"}), 422)
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status"), [({**ORDER, "quantity": 51}, 409), ({**ORDER, "side": "HOLD"}, 400)]
)
def test_an_order_that_was_refused_is_looked_at_anew(tool, body, status):
    post(tool, "/order", ORDER, key="k-0")
    problem_of(post(tool, "/order", body), status)
    assert KeptAnswer.objects.get().key == "k-0"
    assert post(tool, "/order", ORDER).status_code == 200


def test_a_halt_is_placed_and_lifted_once_however_often_it_is_sent(tool):
    first, again = (post(tool, "/halt", HALT) for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content) == (201, first.content)
    lift = f"/halt/{first.json()['id']}/lift"
    lifted, once_more = (post(tool, lift, {"reason": "prices are right"}, key="k-2") for _ in range(2))
    assert (lifted.status_code, lifted.content) == (once_more.status_code, once_more.content)
    assert lifted.json()["in_force"] is False
    assert Halt.objects.count() == 1
    assert AuditEntry.objects.filter(action__startswith="halt.").count() == 2


@pytest.mark.django_db(transaction=True)
def test_while_the_first_is_being_worked_on_the_second_is_told_to_come_back(monkeypatch, tool):
    post(tool, "/order", ORDER, key="k-0")
    caller = KeptAnswer.objects.get().caller
    monkeypatch.setattr(idempotency, "PATIENCE", 50)
    parameters = connection.get_connection_params()
    with psycopg.connect(
        host=parameters["host"], dbname=parameters["dbname"], user=parameters["user"]
    ) as another:
        another.execute(
            "INSERT INTO kept_answers (caller, key, digest, status, location, body, expires_at)"
            " VALUES (%s, 'k-1', '', 0, '', '', now() + interval '1 day')",
            [caller],
        )
        busy = post(tool, "/order", ORDER)
        assert "being worked on" in problem_of(busy, 409)["detail"]
        assert busy["Retry-After"] == "1"
        another.rollback()
    assert post(tool, "/order", ORDER).status_code == 200


def test_the_document_says_so_of_every_write(client):
    document = client.get("/openapi.json").json()
    writes = {path: at["post"] for path, at in document["paths"].items() if "post" in at}
    assert len(writes) == 10
    for path, write in writes.items():
        headers = {parameter["name"] for parameter in write["parameters"] if parameter["in"] == "header"}
        assert headers == {"Idempotency-Key"}, path
        assert {"409", "422"} <= set(write["responses"]), path
