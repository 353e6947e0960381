"""Actions on orders in the console: looked at before, done one by one, told after."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from orders import halts
from orders.lifecycle import Status
from orders.models import AuditEntry, Order
from routing import bulk
from routing.models import BulkAction, OrderRoute
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.people import ALL, person, said

pytestmark = pytest.mark.django_db

ORDERS = "/admin/orders/order/"
ACTIONS = {
    "route_to_a_venue": "route_order",
    "retry_now": "retry_order",
    "cancel": "cancel_order",
    "clear_review": "review_order",
}


@pytest.fixture
def operator():
    return person("anna", *ALL)


def choose(client, *order_ids: str, action: str = "route_to_a_venue", **fields: str) -> Any:
    """The page that says what would be done."""
    return client.post(ORDERS, {"action": action, "_selected_action": order_ids, **fields}, follow=True)


def decide(client, proposed: Any, *, reason: str = "client asked", **fields: str) -> Any:
    """The page that says what was done; `route` where there is one to be given."""
    if proposed.context["action"].operation == "route":
        fields = {"route": "NYSE"} | fields
    return client.post(path_of(proposed, "decide"), {"reason": reason, **fields}, follow=True)


def do(client, *order_ids: str, action: str = "route_to_a_venue", **fields: str) -> Any:
    return decide(client, choose(client, *order_ids, action=action), **fields)


def path_of(page: Any, name: str) -> str:
    return f"/admin/routing/bulkaction/{page.context['action'].pk}/{name}/"


def told(page: Any) -> dict[str, str]:
    return {row["order"].pk: row["said"] for row in page.context["rows"]}


def many(count: int) -> None:
    for number in range(count):
        order_in_book(f"T-{number:04}")


def test_what_would_become_of_each_order_is_shown_before_anything_is_done(operator):
    routed_order("R-1", route="LSE-2")
    order_in_book("C-1", **claimed())
    parked_order("P-1")
    page = choose(operator, "R-1", "C-1", "P-1")
    assert page.context["summary"] == "2 will be refused, 1 will be done"
    assert [row["order"].pk for row in page.context["rows"]][-1] == "P-1"
    assert "R-1 is routed; only placed or pending route orders become routed" in told(page)["R-1"]
    assert "C-1 is being routed by the machine until" in told(page)["C-1"]
    text = page.content.decode()
    assert "Nothing is done yet" in text
    assert "Route 1 order<" in text
    assert '<option value="LSE-2">' in text
    assert "145.50" in text
    assert Order.objects.get(pk="P-1").status == Status.PENDING_ROUTE


def test_several_orders_are_routed_with_reason_and_name_in_their_history(operator):
    parked_order("P-1")
    order_in_book("P-2")
    page = do(operator, "P-1", "P-2")
    assert told(page) == {"P-1": "P-1 is routed to NYSE", "P-2": "P-2 is routed to NYSE"}
    assert page.context["summary"] == "2 done"
    for order in Order.objects.all():
        assert (order.status, order.route, order.needs_review) == (Status.ROUTED, "NYSE", False)
        last = order.events.get(sequence=order.version)
        assert (last.event, last.actor, last.reason) == ("ROUTED", "anna", "client asked")
        assert order.routes.get().outcome == "MANUAL"
    entry = AuditEntry.objects.get(action="orders.route")
    assert (entry.actor, entry.detail["orders"], entry.detail["route"]) == ("anna", 2, "NYSE")


def test_refusals_say_why_and_the_rest_is_done(operator):
    routed_order("R-1")
    order_in_book("C-1", **claimed())
    parked_order("P-1")
    page = do(operator, "R-1", "C-1", "P-1")
    assert page.context["summary"] == "2 refused, 1 done"
    assert "is routed" in told(page)["R-1"]
    assert "until" in told(page)["C-1"]
    assert Order.objects.get(pk="P-1").route == "NYSE"
    assert Order.objects.get(pk="R-1").route == "NASDAQ-EXECUTION-1"
    assert Order.objects.get(pk="C-1").status == Status.PLACED


@pytest.mark.parametrize(
    ("action", "status", "event"),
    [
        ("retry_now", Status.PENDING_ROUTE, "REVIEW_CLEARED"),
        ("cancel", Status.CANCELED, "CANCELED"),
        ("clear_review", Status.PENDING_ROUTE, "REVIEW_CLEARED"),
    ],
)
def test_orders_are_retried_canceled_and_cleared(operator, action, status, event):
    parked_order("P-1")
    page = do(operator, "P-1", action=action)
    assert page.context["summary"] == "1 done"
    order = Order.objects.get()
    assert (order.status, order.needs_review) == (status, False)
    last = order.events.get(sequence=order.version)
    assert (last.event, last.actor, last.reason) == (event, "anna", "client asked")


def test_a_retry_under_a_halt_is_said_to_wait_for_its_end(operator):
    parked_order("P-1")
    parked_order("P-2", symbol="MSFT")
    halts.halt(reason="a wrong feed", actor="sue", symbol="MSFT")
    assert told(choose(operator, "P-1", "P-2", action="retry_now")) == {
        "P-1": "will be done",
        "P-2": "will be done, and wait for the end of the halt of MSFT",
    }


def test_an_order_that_the_book_refuses_to_change_keeps_no_other_from_it(operator):
    parked_order("P-1")
    parked_order("P-2")
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE orders ADD CONSTRAINT broken CHECK (order_id <> 'P-1' OR status <> 'CANCELED')"
        )
    page = do(operator, "P-1", "P-2", action="cancel")
    assert page.context["summary"] == "1 refused, 1 done"
    assert "P-1: the order book refuses it" in told(page)["P-1"]
    order = Order.objects.get(pk="P-1")
    assert (order.status, order.version, order.events.count()) == (Status.PENDING_ROUTE, 3, 3)


def test_to_cancel_a_canceled_order_changes_nothing_and_is_no_refusal(operator):
    parked_order("P-1")
    do(operator, "P-1", action="cancel")
    before = Order.objects.get().version
    assert choose(operator, "P-1", action="cancel").context["summary"] == "1 will stay as they are"
    assert do(operator, "P-1", action="cancel").context["summary"] == "1 unchanged"
    assert Order.objects.get().version == before


@pytest.mark.parametrize("action", ACTIONS)
def test_an_order_s_own_page_offers_each_action(operator, action):
    parked_order()
    page = operator.get(f"{ORDERS}ORD-20260214-001/change/").content.decode()
    forms = re.findall(r'<form method="post" action="([^"]+)">(.*?)</form>', page, re.DOTALL)
    offered = [
        (path, dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', form)))
        for path, form in forms
    ]
    path, fields = next(each for each in offered if each[1].get("action") == action)
    assert operator.post(path, fields, follow=True).context["summary"] == "1 will be done"


@pytest.mark.parametrize(
    ("route", "reason"), [("", "why"), ("NYSE", ""), ("  ", "why"), ("NYSE", "  "), ("x" * 256, "why")]
)
def test_without_venue_or_reason_nothing_is_done_and_the_page_says_so(operator, route, reason):
    parked_order()
    page = do(operator, "ORD-20260214-001", route=route, reason=reason)
    assert "errorlist" in page.content.decode()
    assert Order.objects.get().status == Status.PENDING_ROUTE
    assert BulkAction.objects.get().decided_at is None


def test_what_was_typed_is_shown_and_never_run(operator):
    parked_order()
    page = do(operator, "ORD-20260214-001", route="<script>alert(1)</script>")
    assert "&lt;script&gt;alert" in page.content.decode()
    assert "<script>alert" not in page.content.decode()
    assert "<script>alert" not in operator.get(f"{ORDERS}ORD-20260214-001/change/").content.decode()


def test_deciding_twice_does_it_once(operator):
    parked_order()
    proposed = choose(operator, "ORD-20260214-001")
    decide(operator, proposed)
    again = decide(operator, proposed, route="LSE")
    assert "it was decided before" in again.content.decode()
    assert OrderRoute.objects.get().route == "NYSE"


def test_what_came_to_match_after_the_look_is_left_alone(operator):
    parked_order("P-1")
    proposed = choose(operator, "P-1", select_across="1")
    parked_order("P-2")
    decide(operator, proposed)
    assert Order.objects.get(pk="P-2").status == Status.PENDING_ROUTE


def test_a_large_choice_is_done_piece_by_piece_and_says_how_far_it_is(operator, monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 4)
    many(10)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    assert page.context["summary"] == "4 done, 6 still to be done"
    assert Order.objects.filter(status=Status.CANCELED).count() == 4
    assert told(page)["T-0009"] == "not yet"

    figures = operator.post(path_of(page, "go-on"), headers={"Accept": "application/json"}).json()
    assert figures == {"left": 2, "summary": "8 done, 2 still to be done"}
    page = operator.post(path_of(page, "go-on"), follow=True)
    assert page.context["summary"] == "10 done"
    assert Order.objects.filter(status=Status.CANCELED).count() == 10


def test_pieces_are_bounded_in_time_too(operator, monkeypatch):
    monkeypatch.setattr(bulk, "_SECONDS", 0.0)
    many(3)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    assert page.context["summary"] == "1 done, 2 still to be done"


def test_more_orders_than_a_person_can_oversee_are_refused(operator, monkeypatch):
    monkeypatch.setattr(bulk, "MOST", 5)
    many(6)
    page = choose(operator, "T-0000", select_across="1")
    assert said(page) == [("error", "Nothing was done: choose at most 5 orders at once.")]
    assert not BulkAction.objects.exists()


def test_a_long_choice_is_shown_in_pages(operator):
    many(201)
    page = choose(operator, "T-0000", select_across="1")
    assert len(page.context["rows"]) == 200
    second = operator.get(f"/admin/routing/bulkaction/{page.context['action'].pk}/change/?p=2")
    assert [row["order"].pk for row in second.context["rows"]] == ["T-0200"]


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


def test_proposals_that_nobody_decided_on_are_forgotten_after_a_day(operator):
    parked_order("P-1")
    parked_order("P-2")
    old = choose(operator, "P-1").context["action"]
    done = do(operator, "P-2").context["action"]
    long_ago = timezone.now() - timedelta(days=1, minutes=1)
    BulkAction.objects.update(proposed_at=long_ago)
    new = choose(operator, "P-1").context["action"]
    assert set(BulkAction.objects.values_list("pk", flat=True)) == {done.pk, new.pk}
    assert old.pk not in {done.pk, new.pk}


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_route_the_same_orders_at_once_one_routes_each():
    order_ids = [f"P-{number}" for number in range(8)]
    for order_id in order_ids:
        parked_order(order_id)
    people = [person(name, *ALL) for name in ("anna", "otto")]
    proposed = [choose(client, *order_ids) for client in people]

    paths = [path_of(page, "decide") for page in proposed]

    def act(client, path):
        try:
            client.post(path, {"route": f"VENUE-{client.user}", "reason": "client asked"})
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(act, people, paths))
    answers = [dict(page.context["action"].orders.values_list("order_id", "said")) for page in proposed]

    for order_id in order_ids:
        routed = f"{order_id} is routed to"
        first, second = sorted((answer[order_id] for answer in answers), key=lambda text: routed not in text)
        assert Order.objects.get(pk=order_id).route in first
        assert "is routed; only" in second
        assert OrderRoute.objects.filter(order=order_id).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_page_that_is_open_twice_does_nothing_twice(monkeypatch):
    monkeypatch.setattr(bulk, "CHUNK", 0)
    many(20)
    operator = person("anna", *ALL)
    page = decide(operator, choose(operator, "T-0000", select_across="1", action="cancel"))
    monkeypatch.setattr(bulk, "CHUNK", 20)

    def go_on(_):
        try:
            return operator.post(path_of(page, "go-on"), headers={"Accept": "application/json"}).json()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(go_on, range(3)))
    operator.post(path_of(page, "go-on"))
    assert bulk.progress(page.context["action"]) == {"DONE": 20}
    for order in Order.objects.all():
        assert order.version == 2


@pytest.mark.parametrize(
    ("order", "offered"),
    [
        (lambda: parked_order("A-1"), set(ACTIONS)),
        (lambda: order_in_book("A-1"), {"route_to_a_venue", "cancel"}),
        (lambda: routed_order("A-1"), {"cancel"}),
        (lambda: routed_order("A-1", status="EXECUTED"), set()),
        (lambda: order_in_book("A-1", status="CANCELED"), set()),
    ],
)
def test_an_order_s_page_offers_what_its_state_allows(operator, order, offered):
    order()
    page = operator.get(f"{ORDERS}A-1/change/")
    assert {name for name, _ in page.context["actions"]} == offered
