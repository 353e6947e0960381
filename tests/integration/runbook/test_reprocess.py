"""An operator has an order routed again; what is done stays done."""

import pytest

from orders import halts
from orders.lifecycle import Status
from orders.models import AuditEntry, Order, OrderEvent
from orders.sql import Sql
from routing import claims
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = "ORD-20260214-001"


def due():
    sql = Sql(patience=5)
    try:
        return [work.order.order_id for work in claims.claim_due(sql, limit=9, hold=30, actor="machine")]
    finally:
        sql.close()


def last_entry():
    return AuditEntry.objects.values("actor", "action", "subject", "detail").first()


def test_an_order_in_review_is_due_again_on_record(db):
    parked_order()
    assert due() == []
    answer = run("reprocess", ORDER, "--user", "ann", "--reason", "limits raised")

    assert answer.code == 0
    assert "is due now" in answer.text
    assert due() == [ORDER]
    event = OrderEvent.objects.order_by("-sequence").first()
    assert (event.event, event.reason) == ("REVIEW_CLEARED", "limits raised")
    assert event.actor.startswith("ann (")
    assert last_entry() == {
        "actor": event.actor,
        "action": "order.retry",
        "subject": ORDER,
        "detail": {"reason": "limits raised"},
    }


def test_an_order_whose_turn_would_come_later_is_due_at_once_on_record_too(db):
    """No event tells of this: its state does not change."""
    order = parked_order(needs_review=False, review_reason="", due_at="2126-01-01T00:00:00Z", version=3)
    assert run("reprocess", ORDER).code == 0
    assert due() == [ORDER]
    assert last_entry()["detail"] == {"reason": "reprocess was asked for"}
    assert OrderEvent.objects.filter(order=order).count() == 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (routed_order, "is routed; only placed or pending route orders become routed."),
        (lambda: routed_order(status=Status.EXECUTED), "is executed; only"),
        (lambda: order_in_book(status=Status.CANCELED), "is canceled; only"),
        (order_in_book, "is placed and will be routed without being asked for."),
        (lambda: parked_order(**claimed()), "is being routed by the machine until"),
    ],
)
def test_what_cannot_be_routed_again_is_left_alone_and_told_why(db, make, says):
    make()
    before = Order.objects.values().get()
    answer = run("reprocess", ORDER)
    assert (answer.code, answer.text) == (1, "")
    assert says in answer.errors
    assert Order.objects.values().get() == before
    assert last_entry() is None


def test_there_is_no_such_order(db):
    answer = run("reprocess", "ORD-404")
    assert (answer.code, answer.errors) == (1, "There is no order ORD-404 in SQL.")


def test_a_halt_that_keeps_it_waiting_is_told(db):
    parked_order()
    halts.halt(reason="feed is wrong", actor="sue", symbol="AAPL")
    answer = run("reprocess", ORDER)
    assert answer.code == 0
    assert "waits for the end of a halt: feed is wrong" in answer.text
    assert due() == []


@pytest.mark.parametrize("arguments", [["--reason", " "], ["--reason", "a\nb"], ["--user", "x" * 65]])
def test_a_name_or_reason_that_cannot_stand_on_record_is_refused(db, arguments):
    parked_order()
    answer = run("reprocess", ORDER, *arguments)
    assert answer.code == 1
    assert "printable characters" in answer.errors
    assert Order.objects.get().needs_review
