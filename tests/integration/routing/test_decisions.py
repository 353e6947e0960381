"""What became of routing, in the book: settled by whoever holds the claim, LATE from anybody else."""

import time
from uuid import uuid4

import pytest
from django.db import connection

from orders import book
from orders.lifecycle import Status
from orders.models import Order, OrderEvent
from routing import claims, decisions, publications
from routing.claims import Claimed
from routing.decisions import Parking
from routing.models import OrderRoute, Outcome
from routing.publications import Publication
from tests.builders import arrival, attempt, far_deadline

pytestmark = pytest.mark.django_db(transaction=True)


def placed(sql, *order_ids):
    claim = uuid4()
    arrivals = [arrival(order_id) for order_id in order_ids]
    book.place(sql, arrivals, claim=claim, hold=30, actor="placer")
    return [Claimed(each.order, each.message_id, Status.PLACED, claim, far_deadline()) for each in arrivals]


def settle(sql, attempts, published=(), publish_in=30.0):
    return decisions.settle_routed(
        sql, attempts, published=published, publish_in=publish_in, actor="router-man"
    )


def confirmed(attempt_id, ago=0.0):
    return Publication(attempt_id, time.monotonic() - ago)


def taken_over(sql, order_id):
    """Another process takes the order after its claim has run out."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders SET claimed_until = now() WHERE order_id = %s", [order_id])
    (theirs,) = claims.claim_due(sql, limit=1, hold=30, actor="other")
    return theirs


def story(order_id="ORD-1"):
    return list(
        OrderEvent.objects.filter(order_id=order_id)
        .order_by("sequence")
        .values_list("sequence", "event", "reason")
    )


def attempts(order_id="ORD-1"):
    return list(
        OrderRoute.objects.filter(order_id=order_id).order_by("attempt").values_list("attempt", "outcome")
    )


def test_accepted_routes_are_settled_with_order_event_and_outbox_row(sql):
    works = placed(sql, "ORD-1", "ORD-2")
    made = [attempt(work) for work in works]
    changes = settle(sql, made)

    order, route = Order.objects.get(pk="ORD-1"), OrderRoute.objects.get(order_id="ORD-1")
    assert set(changes) == {each.id for each in made}
    assert changes[made[0].id].version == order.version == 2
    assert (order.status, order.route, order.claim) == ("ROUTED", "NASDAQ-EXECUTION-1", None)
    assert (str(route.id), route.outcome, route.attempt) == (made[0].id, "ACCEPTED", 1)
    assert route.decided_at == order.routed_at == changes[made[0].id].at
    assert route.publish_after > route.decided_at
    assert story() == [(1, "PLACED", ""), (2, "ROUTED", "")]


def test_without_a_routed_queue_nothing_is_due_for_publication(sql):
    settle(sql, [attempt(work) for work in placed(sql, "ORD-1")], publish_in=None)
    assert OrderRoute.objects.get().publish_after is None
    assert publications.take_unpublished(sql, limit=10, hold=30) == []


def test_settling_again_after_a_lost_answer_finds_its_own_rows_and_writes_nothing(sql):
    made = [attempt(work) for work in placed(sql, "ORD-1")]
    first, second = settle(sql, made), settle(sql, made)

    assert first == second
    assert attempts() == [(1, "ACCEPTED")]
    assert len(story()) == 2


def test_an_acceptance_after_the_claim_was_lost_is_late_and_goes_before_a_person(sql):
    (mine,) = placed(sql, "ORD-1")
    theirs = taken_over(sql, "ORD-1")
    late, good = attempt(mine, route="VENUE-A"), attempt(theirs, route="VENUE-B")
    assert settle(sql, [late]) == {}
    decisions.record_late(sql, [late], actor="slow")
    assert settle(sql, [good])

    order = Order.objects.get()
    assert (order.status, order.route, order.needs_review) == ("ROUTED", "VENUE-B", True)
    assert attempts() == [(1, "UNKNOWN"), (2, "LATE"), (3, "ACCEPTED")]
    assert [event for _, event, _ in story()] == ["PLACED", "REVIEW_REQUIRED", "ROUTED"]
    assert "VENUE-A" in order.review_reason


def test_a_late_acceptance_of_a_canceled_order_requires_review_and_stays_canceled(sql):
    (mine,) = placed(sql, "ORD-1")
    Order.objects.update(status="CANCELED", claim=None, claimed_until=None)
    late = attempt(mine)
    assert settle(sql, [late]) == {}
    decisions.record_late(sql, [late], actor="slow")
    decisions.record_late(sql, [late], actor="slow")

    order = Order.objects.get()
    assert (order.status, order.needs_review, order.attempts) == ("CANCELED", True, 1)
    assert attempts() == [(1, "LATE")]


def test_two_late_answers_for_one_order_in_one_batch_are_both_recorded(sql):
    (first,) = placed(sql, "ORD-1")
    second = taken_over(sql, "ORD-1")
    taken_over(sql, "ORD-1")
    decisions.record_late(sql, [attempt(first), attempt(second)], actor="slow")

    assert attempts() == [(1, "UNKNOWN"), (2, "UNKNOWN"), (3, "LATE"), (4, "LATE")]
    assert Order.objects.get().attempts == 4
    assert [event for _, event, _ in story()] == ["PLACED", "REVIEW_REQUIRED"]


def test_a_late_refusal_is_recorded_and_bothers_nobody(sql):
    (mine,) = placed(sql, "ORD-1")
    taken_over(sql, "ORD-1")
    decisions.record_late(sql, [attempt(mine, Outcome.REFUSED)], actor="slow")

    assert attempts() == [(1, "UNKNOWN"), (2, "LATE")]
    assert Order.objects.get().needs_review is False


def test_failed_calls_are_numbered_and_keep_the_claim(sql):
    (work,) = placed(sql, "ORD-1")
    for outcome in (Outcome.UNREACHABLE, Outcome.UNKNOWN):
        failure = attempt(work, outcome)
        assert decisions.note_failures(sql, [failure], actor="a") == {failure.id}
        assert decisions.note_failures(sql, [failure], actor="a") == {failure.id}

    assert attempts() == [(1, "UNREACHABLE"), (2, "UNKNOWN")]
    assert Order.objects.get().claim == work.claim


def test_a_failed_call_under_a_lost_claim_is_not_ours_to_note(sql):
    (mine,) = placed(sql, "ORD-1")
    taken_over(sql, "ORD-1")
    assert decisions.note_failures(sql, [attempt(mine, Outcome.UNKNOWN)], actor="a") == set()


def test_an_order_parked_for_later_is_due_then_and_says_why_once(sql):
    (work,) = placed(sql, "ORD-1")
    changes = decisions.park(sql, [Parking(work, 60.0, "no router")], actor="a")

    order = Order.objects.get()
    assert (order.status, order.needs_review, order.claim) == ("PENDING_ROUTE", False, None)
    assert 59 < (order.due_at - changes["ORD-1"].at).total_seconds() < 61
    assert story()[1:] == [(2, "PENDING_ROUTE", "no router")]


def test_an_order_parked_for_a_person_has_both_events_and_no_due_time(sql):
    (work,) = placed(sql, "ORD-1")
    changes = decisions.park(sql, [Parking(work, None, "refused: 422")], actor="a")

    order = Order.objects.get()
    assert (order.due_at, order.needs_review, order.review_reason) == (None, True, "refused: 422")
    assert changes["ORD-1"].version == order.version == 3
    assert story()[1:] == [(2, "PENDING_ROUTE", "refused: 422"), (3, "REVIEW_REQUIRED", "refused: 422")]


def test_an_order_parked_again_has_no_second_event(sql):
    (work,) = placed(sql, "ORD-1")
    decisions.park(sql, [Parking(work, 0.0, "no router")], actor="a")
    (again,) = claims.claim_due(sql, limit=1, hold=30, actor="a")
    changes = decisions.park(sql, [Parking(again, 60.0, "still no router")], actor="a")

    assert changes["ORD-1"].version == 2
    assert len(story()) == 2


def test_parking_under_a_lost_claim_changes_nothing(sql):
    (mine,) = placed(sql, "ORD-1")
    theirs = taken_over(sql, "ORD-1")
    assert decisions.park(sql, [Parking(mine, None, "x")], actor="a") == {}
    assert Order.objects.get().claim == theirs.claim


def test_marks_of_publication_ride_with_the_next_batch(sql):
    first, second = (attempt(work) for work in placed(sql, "ORD-1", "ORD-2"))
    settle(sql, [first])
    settle(sql, [second], published=[confirmed(first.id, ago=60)])

    marked = OrderRoute.objects.get(pk=first.id)
    assert 59 < (OrderRoute.objects.get(pk=second.id).decided_at - marked.published_at).total_seconds() < 70
    assert OrderRoute.objects.get(pk=second.id).published_at is None


def test_what_is_unpublished_is_taken_by_one_relay_at_a_time(sql):
    settle(sql, [attempt(work) for work in placed(sql, "ORD-1", "ORD-2", "ORD-3")], publish_in=0.0)
    first = publications.take_unpublished(sql, limit=2, hold=30)
    second = publications.take_unpublished(sql, limit=2, hold=30)

    assert (len(first), len(second)) == (2, 1)
    assert {row.order_id for row in first + second} == {"ORD-1", "ORD-2", "ORD-3"}
    publications.mark_published(sql, [confirmed(row.id) for row in first])
    OrderRoute.objects.update(publish_after=OrderRoute.objects.first().decided_at)
    assert publications.take_unpublished(sql, limit=9, hold=30)[0].order_id == second[0].order_id


def test_a_batch_of_thousands_is_settled_in_one_statement(sql):
    works = placed(sql, *[f"ORD-{number:05}" for number in range(3000)])
    assert len(settle(sql, [attempt(work) for work in works])) == 3000
    assert (
        Order.objects.filter(status="ROUTED").count()
        == OrderEvent.objects.filter(event="ROUTED").count()
        == 3000
    )
