"""Who may operate on orders: a scope, or the permission of the console."""

from __future__ import annotations

import pytest
from django.test import Client

from orders.lifecycle import Status
from orders.models import Order, OrderEvent
from tests.book_rows import parked_order, routed_order
from tests.callers import basic, bearing, person, problem_of
from tests.integration.routing.api.requests import OPERATIONS, post, story

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strangers_and_those_who_only_read_are_refused(client, operation):
    parked_order("P-1")
    problem_of(post(client, "P-1", operation), 401)
    assert problem_of(post(bearing("read", "create"), "P-1", operation), 403)["scope"] == "operate"
    assert len(story()) == 3


@pytest.mark.parametrize(("operation", "permission"), OPERATIONS.items())
def test_people_need_the_console_s_permission(client, operation, permission):
    routed_order("P-1") if operation == "execution" else parked_order("P-1")
    others = {"route_order", *OPERATIONS.values()} - {permission}
    person("otto", *others)
    refused = post(client, "P-1", operation, **basic("otto"))
    assert problem_of(refused, 403)
    person("ida", "route_order", permission)
    assert post(client, "P-1", operation, **basic("ida")).status_code == 200
    assert OrderEvent.objects.order_by("-sequence").first().actor == "ida"


def test_a_token_never_does_more_than_its_owner_may():
    parked_order("P-1")
    owner = person("ida", "route_order")
    client = bearing("operate", owner=owner)
    assert "routing.cancel_order" in problem_of(post(client, "P-1", "cancel"), 403)["detail"]
    assert post(client, "P-1", "route").status_code == 200


def test_a_session_needs_its_csrf_token():
    parked_order("P-1")
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("ida", "route_order"))
    problem_of(post(client, "P-1", "route"), 403)
    assert Order.objects.get().status == Status.PENDING_ROUTE
