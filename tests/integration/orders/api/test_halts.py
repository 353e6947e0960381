"""Halts over the API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from orders import halts
from orders.models import Halt
from tests.callers import basic, bearer, bearing, person, problem_of, token

pytestmark = pytest.mark.django_db


def post(client: Client, path: str = "/halt", **fields: Any) -> Any:
    body = {"reason": "feed is wrong"} | fields
    body = {name: value for name, value in body.items() if value is not None}
    return client.post(path, json.dumps(body), content_type="application/json")


@pytest.fixture
def operator():
    return bearing("read", "operate")


def test_a_halt_is_placed_listed_and_lifted(operator):
    until = timezone.now() + timedelta(hours=1)
    made = post(operator, symbol="AAPL", until=until.isoformat())
    assert made.status_code == 201
    document = json.loads(made.content)
    assert document["in_force"] is True
    assert (document["symbol"], document["counterparty"], document["reason"]) == (
        "AAPL",
        None,
        "feed is wrong",
    )
    assert document["actor"].startswith("desk-tool")
    everything = json.loads(post(operator).content)
    assert (everything["symbol"], everything["counterparty"], everything["until"]) == (None, None, None)
    assert [halt["id"] for halt in json.loads(operator.get("/halt").content)["results"]] == [
        everything["id"],
        document["id"],
    ]

    path = f"/halt/{document['id']}/lift"
    lifted = json.loads(post(operator, path, reason="mended").content)
    assert (lifted["in_force"], lifted["lifted_by"]) == (False, document["actor"])
    assert problem_of(post(operator, path), 409)["detail"].endswith("is not in force any more.")
    for wanted, expected in (("true", everything["id"]), ("false", document["id"])):
        (found,) = json.loads(operator.get(f"/halt?in_force={wanted}").content)["results"]
        assert found["id"] == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": ""}, "reason: "),
        ({"reason": None}, "reason: "),
        ({"symbl": "AAPL"}, "symbl: no such field; there are symbol, counterparty, reason, until"),
        ({"symbol": "A" * 33}, "symbol: "),
        ({"symbol": ""}, "symbol: "),
        ({"symbol": "A\0"}, "symbol is "),
        ({"symbol": "AAPL", "counterparty": "ACME"}, "not both"),
        ({"until": "2020-01-01T00:00:00Z"}, "expected an end in the future"),
        ({"until": "soon"}, "until: "),
    ],
)
def test_what_is_no_halt_is_refused_and_says_why(operator, fields, said):
    assert said in problem_of(post(operator, **fields), 400)["detail"]
    assert not Halt.objects.exists()


def test_pages_follow_each_other_and_a_bad_cursor_is_refused(operator):
    made = [halts.halt(reason=str(number), actor="sue").pk for number in range(3)]
    first = json.loads(operator.get("/halt?limit=2").content)
    second = json.loads(operator.get(first["next"]).content)
    assert [halt["id"] for halt in first["results"] + second["results"]] == made[::-1]
    problem_of(operator.get("/halt?cursor=cD1zb29u"), 404)
    problem_of(operator.get("/halt?in_force=maybe"), 400)


def test_what_is_not_there_is_not_lifted(operator):
    problem_of(post(operator, "/halt/7/lift"), 404)
    problem_of(post(operator, f"/halt/{10**30}/lift"), 404)
    halt = halts.halt(reason="r", actor="sue")
    problem_of(post(operator, f"/halt/{halt.pk}/lift", reason=" "), 400)
    assert halts.in_force().exists()


def test_reading_needs_read_and_writing_operate():
    assert problem_of(Client().get("/halt"), 401)
    assert problem_of(bearing("operate", name="a").get("/halt"), 403)["scope"] == "read"
    assert problem_of(post(bearing("read", name="b")), 403)["scope"] == "operate"


def test_a_person_needs_the_permission_too_and_so_does_their_token():
    anna = person("anna", "view_order", "route_order")
    mine = bearer(token("operate", name="mine", owner=anna)[1])
    for headers in (basic("anna"), mine):
        assert "orders.halt_routing" in problem_of(post(Client(headers=headers)), 403)["detail"]
    anna.user_permissions.add(Permission.objects.get(codename="halt_routing"))
    for headers in (basic("anna"), mine):
        assert post(Client(headers=headers)).status_code == 201
    assert halts.in_force().count() == 2
