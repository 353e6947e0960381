"""What a person does with an order: all of it or nothing, with name and reason."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from orders import book, halts, status_cache
from orders.models import Halt, Order, OrderEvent
from routing import claims, decisions, manual, publications
from routing.decisions import Parking
from routing.models import OrderRoute, Outcome
from routing.operations import Refused
from tests.at_once import at_once
from tests.builders import arrival, attempt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def in_review(sql):
    """ORD-1, refused by the router and waiting for a person."""
    work = claimed(sql)
    refusal = attempt(work, Outcome.REFUSED)
    decisions.note_failures(sql, [refusal], actor="machine")
    decisions.park(sql, [Parking(work, None, "the router refused")], actor="machine")
    return work


def claimed(sql):
    book.place(sql, [arrival("ORD-1")], claim=uuid4(), hold=30, actor="machine")
    Order.objects.update(claim=None, claimed_until=None)
    (work,) = claims.claim_due(sql, limit=1, hold=30, actor="machine")
    return work


def run_out():
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders SET claimed_until = now()")


def story():
    return list(OrderEvent.objects.order_by("sequence").values_list("event", "actor", "reason"))


def route(route="LSE-DESK", reason="client called", actor="ann"):
    manual.route_by_hand("ORD-1", route=route, reason=reason, actor=actor)


def execute():
    return manual.execute("ORD-1", actor="venue")


def test_a_manual_route_is_decided_told_cleared_cached_and_due_for_publication(in_review, sql):
    route()

    order = Order.objects.get()
    decision = OrderRoute.objects.get(outcome="MANUAL")
    assert (order.status, order.route, order.needs_review) == ("ROUTED", "LSE-DESK", False)
    assert (decision.attempt, decision.decided_by, decision.reason) == (2, "ann", "client called")
    assert decision.decided_at == order.routed_at
    assert story()[3:] == [("REVIEW_CLEARED", "ann", "client called"), ("ROUTED", "ann", "client called")]
    assert '"route":"LSE-DESK"' in status_cache.from_settings().get("ORD-1")
    assert [due.route for due in publications.take_unpublished(sql, limit=9, hold=30)] == ["LSE-DESK"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reason": "  "}, "a reason is required"),
        ({"route": " "}, "expected a route"),
        ({"route": "X" * 256}, "expected a route"),
        ({"route": "A\nB"}, "expected a route"),
    ],
)
def test_a_manual_route_needs_a_venue_and_a_reason(in_review, changes, says):
    with pytest.raises(Refused, match=says):
        route(**changes)
    assert Order.objects.get().status == "PENDING_ROUTE"


def test_nobody_routes_cancels_or_retries_while_a_call_is_out(sql):
    claimed(sql)
    for act in (
        route,
        lambda: manual.cancel("ORD-1", reason="r", actor="ann"),
        lambda: manual.retry_now("ORD-1", reason="r", actor="ann"),
    ):
        with pytest.raises(Refused, match="being routed by the machine until") as refused:
            act()
        assert refused.value.claimed_until == Order.objects.get().claimed_until
    assert len(story()) == 1


def test_a_claim_that_ran_out_is_on_record_before_the_person_decides(sql):
    claimed(sql)
    run_out()
    route()
    outcomes = list(OrderRoute.objects.order_by("attempt").values_list("outcome", flat=True))
    assert outcomes == ["UNKNOWN", "MANUAL"]


def test_the_machines_answer_after_a_manual_route_is_late_and_goes_before_a_person(sql):
    work = claimed(sql)
    run_out()
    route()
    answered = attempt(work, route="NASDAQ-EXECUTION-1")
    assert decisions.settle_routed(sql, [answered], published=[], publish_in=0, actor="machine") == {}
    decisions.record_late(sql, [answered], actor="machine")

    order = Order.objects.get()
    assert (order.route, order.needs_review) == ("LSE-DESK", True)
    assert list(OrderRoute.objects.order_by("attempt").values_list("outcome", flat=True)) == [
        "UNKNOWN",
        "MANUAL",
        "LATE",
    ]


def test_a_routed_order_is_not_routed_again(in_review):
    route()
    with pytest.raises(Refused, match="is routed; only placed or pending route orders become routed"):
        route(route="OTHER")


def test_of_two_people_routing_at_once_one_wins_and_the_other_is_refused(in_review):
    def act(name):
        try:
            route(route=name, actor=name)
        except Refused as refused:
            return str(refused)
        return None

    answers = at_once(act, [f"desk-{number}" for number in range(8)])
    assert answers.count(None) == 1
    assert all("is routed" in answer for answer in answers if answer)
    assert OrderRoute.objects.filter(outcome="MANUAL").count() == 1
    assert len(story()) == 5


def test_a_retry_after_a_definite_refusal_uses_a_new_key(in_review, sql):
    assert in_review.idempotency_key == "ORD-1"
    manual.retry_now("ORD-1", reason="limits raised", actor="ann")

    (again,) = claims.claim_due(sql, limit=1, hold=30, actor="machine")
    assert again.idempotency_key == "ORD-1:1"
    assert story()[3:] == [("REVIEW_CLEARED", "ann", "limits raised")]


def test_a_retry_after_an_unknown_outcome_keeps_the_key(sql):
    work = claimed(sql)
    decisions.note_failures(sql, [attempt(work, Outcome.UNKNOWN)], actor="machine")
    decisions.park(sql, [Parking(work, None, "no answer")], actor="machine")
    manual.retry_now("ORD-1", reason="venue says no", actor="ann")

    (again,) = claims.claim_due(sql, limit=1, hold=30, actor="machine")
    assert again.idempotency_key == "ORD-1"


def test_a_canceled_order_is_final(in_review, sql):
    manual.cancel("ORD-1", reason="client withdrew", actor="ann")

    assert Order.objects.get().status == "CANCELED"
    assert claims.claim_due(sql, limit=9, hold=30, actor="machine") == []
    assert story()[-1] == ("CANCELED", "ann", "client withdrew")
    for act in (route, execute):
        with pytest.raises(Refused, match="is canceled"):
            act()


def test_to_cancel_once_more_changes_nothing(in_review):
    assert manual.cancel("ORD-1", reason="client withdrew", actor="ann")
    before = story()
    assert not manual.cancel("ORD-1", reason="again", actor="bob")
    assert story() == before


def test_a_routed_order_is_executed_once(in_review):
    route()
    assert execute()
    assert not execute()
    assert Order.objects.get().status == "EXECUTED"
    assert story()[-2:] == [("ROUTED", "ann", "client called"), ("EXECUTED", "venue", "")]
    assert '"status":"EXECUTED"' in status_cache.from_settings().get("ORD-1")
    for act in (route, lambda: manual.cancel("ORD-1", reason="late", actor="ann")):
        with pytest.raises(Refused, match="is executed"):
            act()


def test_an_order_that_is_not_routed_is_not_executed(in_review):
    with pytest.raises(Refused, match="is pending route; only routed orders become executed"):
        execute()
    assert len(story()) == 3


def test_an_execution_leaves_a_review_mark_for_the_person_it_waits_for(in_review, sql):
    route()
    book.require_review(sql, ["ORD-1"], reason="other content came", actor="machine")
    execute()
    order = Order.objects.get()
    assert (order.status, order.needs_review, order.review_reason) == ("EXECUTED", True, "other content came")


def test_an_order_that_another_transaction_holds_is_said_to_be_busy(in_review):
    def hold(told, done):
        with transaction.atomic():
            Order.objects.select_for_update().get()
            told.set()
            done.wait(10)
        connections.close_all()

    told, done = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(hold, told, done)
        told.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 50")
        with pytest.raises(Refused, match="being changed by someone else"):
            route()
        done.set()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


def test_a_cleared_review_gives_a_parked_order_back_to_the_machine(in_review, sql):
    manual.clear_review("ORD-1", reason="looked", actor="ann")
    assert len(claims.claim_due(sql, limit=9, hold=30, actor="machine")) == 1
    with pytest.raises(Refused, match=r"being routed|does not wait"):
        manual.clear_review("ORD-1", reason="looked", actor="ann")


def test_an_order_that_does_not_exist_is_said_so(db):
    with pytest.raises(Order.DoesNotExist):
        manual.cancel("ORD-404", reason="r", actor="ann")


@pytest.mark.parametrize(
    ("scope", "other"),
    [({}, None), ({"symbol": "AAPL"}, {"symbol": "MSFT"}), ({"counterparty": "ACME"}, {"counterparty": "Z"})],
)
def test_a_halted_order_is_placed_without_a_claim_and_goes_on_when_the_halt_is_lifted(sql, scope, other):
    halt = halts.halt(reason="feed is wrong", actor="sue", **scope)
    arrivals = [arrival("ORD-1"), *([arrival("ORD-2", **other)] if other else [])]
    placed = book.place(sql, arrivals, claim=uuid4(), hold=30, actor="machine")

    assert {order_id: entry.halted for order_id, entry in placed.items()} == (
        {"ORD-1": True, "ORD-2": False} if other else {"ORD-1": True}
    )
    order = Order.objects.get(pk="ORD-1")
    assert (order.status, order.claim, order.version) == ("PENDING_ROUTE", None, 2)
    assert claims.claim_due(sql, limit=9, hold=30, actor="machine") == []
    known = claims.claim_known(sql, [arrival("ORD-1")], claim=uuid4(), hold=30, actor="machine")
    assert known["ORD-1"].claimed is None

    assert halts.lift(halt.pk, reason="all is well", actor="sue")
    assert not halts.lift(halt.pk, reason="all is well", actor="sue")
    (due,) = claims.claim_due(sql, limit=9, hold=30, actor="machine")
    assert due.order.order_id == "ORD-1"


def test_a_halt_that_is_over_no_longer_holds(sql):
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() - interval '1 second'")
        (past,) = cursor.fetchone()
    Halt.objects.create(reason="lunch", actor="sue", until=past)
    placed = book.place(sql, [arrival("ORD-1")], claim=uuid4(), hold=30, actor="machine")
    assert placed["ORD-1"].halted is False
