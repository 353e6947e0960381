"""Actions on orders in the console: looked at before, done one by one, told after."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from orders import halts
from orders.lifecycle import Status
from orders.models import AuditEntry, Order
from routing.models import BulkAction, OrderRoute
from tests.at_once import at_once
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.integration.routing.order_actions import ACTIONS, ORDERS, choose, decide, do, path_of, told
from tests.people import ALL, person

pytestmark = pytest.mark.django_db


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

    def act(number):
        client, path = people[number], path_of(proposed[number], "decide")
        client.post(path, {"route": f"VENUE-{client.user}", "reason": "client asked"})

    at_once(act, range(2))
    answers = [dict(page.context["action"].orders.values_list("order_id", "said")) for page in proposed]

    for order_id in order_ids:
        routed = f"{order_id} is routed to"
        first, second = sorted((answer[order_id] for answer in answers), key=lambda text: routed not in text)
        assert Order.objects.get(pk=order_id).route in first
        assert "is routed; only" in second
        assert OrderRoute.objects.filter(order=order_id).count() == 1


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
