"""Actions on orders: who may take them, and from where."""

from __future__ import annotations

import pytest

from orders.lifecycle import Status
from orders.models import Order
from routing import bulk
from routing.models import BulkAction
from tests.book_rows import parked_order
from tests.integration.routing.order_actions import ACTIONS, ORDERS, choose, decide, do, many, path_of
from tests.people import ALL, person, said

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("action", "permission"), ACTIONS.items())
def test_each_action_takes_its_permission(action, permission):
    parked_order("P-1")
    others = person("otto", "view_order", *(set(ACTIONS.values()) - {permission}))
    page = others.get(ORDERS).content.decode()
    assert f'value="{action}"' not in page
    assert said(choose(others, "P-1", action=action)) == [("warning", "No action selected.")]
    assert not BulkAction.objects.exists()

    alone = person("ida", "view_order", permission)
    assert f'value="{action}"' in alone.get(ORDERS).content.decode()
    assert do(alone, "P-1", action=action).context["summary"] == "1 done"


def test_whoever_loses_the_permission_half_way_is_stopped(operator, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 1)
    many(2)
    page = do(operator, "T-0000", "T-0001", action="cancel")
    operator.user.user_permissions.clear()
    assert operator.post(path_of(page, "go-on")).status_code == 403
    assert Order.objects.filter(status=Status.CANCELED).count() == 1


def test_another_person_sees_what_was_done_and_cannot_go_on_with_it(operator, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 1)
    many(2)
    proposed = choose(operator, "T-0000", "T-0001", action="cancel")
    other = person("otto", *ALL)
    path = f"/admin/routing/bulkaction/{proposed.context['action'].pk}/change/"
    assert other.get(path).status_code == 404
    assert other.post(path_of(proposed, "decide"), {"reason": "mine"}).status_code == 403
    decide(operator, proposed)
    seen = other.get(path)
    assert seen.context["summary"] == "1 done, 1 still to be done"
    assert "Go on" not in seen.content.decode()
    assert other.post(path_of(proposed, "go-on")).status_code == 403
    assert "anna" in other.get("/admin/routing/bulkaction/").content.decode()


def test_what_nobody_has_decided_on_cannot_be_gone_on_with(operator):
    parked_order("P-1")
    proposed = choose(operator, "P-1", action="cancel")
    assert operator.post(path_of(proposed, "go-on")).status_code == 403
    assert Order.objects.get().status == Status.PENDING_ROUTE


@pytest.mark.parametrize("name", ["decide", "go-on"])
def test_a_link_does_nothing(operator, name):
    parked_order("P-1")
    proposed = choose(operator, "P-1")
    assert operator.get(path_of(proposed, name)).status_code == 405


@pytest.mark.parametrize("name", ["decide", "go-on"])
def test_a_page_elsewhere_cannot_do_it_in_an_operator_s_name(operator, name):
    parked_order()
    proposed = choose(operator, "ORD-20260214-001")
    operator.handler.enforce_csrf_checks = True
    assert operator.post(path_of(proposed, name), {"route": "NYSE", "reason": "r"}).status_code == 403
    assert Order.objects.get().status == Status.PENDING_ROUTE


def test_strangers_are_led_to_the_login(client, operator):
    parked_order("P-1")
    proposed = choose(operator, "P-1")
    assert client.post(path_of(proposed, "decide"))["Location"].startswith("/admin/login/")
