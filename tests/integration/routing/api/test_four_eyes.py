"""Routes above the limit wait for a second person, over REST as well."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from order_entry_project.config import Config
from orders.lifecycle import Status
from orders.models import Order, OrderEvent
from routing.models import RouteApproval
from tests.book_rows import parked_order
from tests.callers import basic, bearing, person, problem_of
from tests.integration.routing.api.requests import WHY, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limit(configure):
    configure("console", four_eyes_above=Decimal(1000))


def test_a_large_route_is_accepted_for_a_second_person(client, desk):
    parked_order("P-1")
    answer = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
    assert answer.status_code == 202
    again = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
    assert (again.content, again["Location"]) == (answer.content, answer["Location"])
    assert Order.objects.get().status == Status.PENDING_ROUTE
    assert RouteApproval.objects.count() == 1

    reader = bearing("read", name="reader")
    shown = reader.get(answer["Location"])
    assert shown.content == answer.content
    assert b'"notional":14550.00' in shown.content
    (listed,) = reader.get("/approval").json()["results"]
    assert listed == shown.json()
    assert (listed["state"], listed["orderId"], listed["route"]) == ("WAITING", "P-1", "NYSE")

    person("bea", "view_order", "approve_route")
    decided = client.post(
        f"{answer['Location']}/approve", WHY, content_type="application/json", headers=basic("bea")
    )
    assert (decided.status_code, decided.json()["state"]) == (200, "APPROVED")
    assert Order.objects.get().route == "NYSE"
    assert "approved by bea" in OrderEvent.objects.order_by("-sequence").first().reason
    assert reader.get("/approval").json()["results"] == []
    again = client.post(
        f"{answer['Location']}/approve", WHY, content_type="application/json", headers=basic("bea")
    )
    assert "was APPROVED by bea already" in problem_of(again, 409)["detail"]


def test_whose_token_asked_may_not_approve(client):
    parked_order("P-1")
    owner = person("ida", "view_order", "route_order", "approve_route")
    location = post(bearing("operate", owner=owner), "P-1", "route")["Location"]
    for decision, status in (("approve", 409), ("decline", 200)):
        answer = client.post(
            f"{location}/{decision}", WHY, content_type="application/json", headers=basic("ida")
        )
        assert answer.status_code == status
    assert Order.objects.get().status == Status.PENDING_ROUTE


@pytest.mark.parametrize("decision", ["approve", "decline"])
def test_no_program_decides_and_nobody_without_the_permission(client, desk, decision):
    parked_order("P-1")
    location = post(desk, "P-1", "route")["Location"]
    path = f"{location}/{decision}"
    program = bearing("read", "operate", name="other-tool")
    problem_of(program.post(path, WHY, content_type="application/json"), 403)
    person("otto", "view_order", "route_order")
    problem_of(client.post(path, WHY, content_type="application/json", headers=basic("otto")), 403)
    assert RouteApproval.objects.get().decision is None


@pytest.mark.parametrize("path", ["", "/approve", "/decline"])
def test_an_approval_that_is_not_there_is_not_found(client, path):
    person("bea", "view_order", "approve_route")
    address = f"/approval/11111111-1111-1111-1111-111111111111{path}"
    ask = client.post if path else client.get
    body = {"data": json.dumps(WHY), "content_type": "application/json"} if path else {}
    problem_of(ask(address, **body, headers=basic("bea")), 404)


def test_an_order_that_waits_already_is_a_conflict(desk):
    parked_order("P-1")
    post(desk, "P-1", "route")
    assert "waits for approval already" in problem_of(post(desk, "P-1", "route"), 409)["detail"]


def test_by_default_there_is_no_limit():
    assert Config().console.four_eyes_above is None
