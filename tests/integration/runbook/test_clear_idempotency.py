"""The stores forget an order when told to, on record; the order book does not."""

from datetime import UTC, datetime

import pytest

from consumers import clearing, idempotency
from orders import book, status_cache
from orders.book import Entry
from orders.models import AuditEntry, Order
from orders.stores.port import StoreUnavailable
from tests import builders
from tests.runbook import run


@pytest.fixture
def entered(each_store):
    """ORD-1 in the book, marked and cached as after its routing."""
    order = builders.order("ORD-1")
    book.enter(order, message_id="m-1", actor="test")
    marks().write([marks().record(order, "m-1")])
    status_cache.from_settings().put(Order.objects.get())
    yield order
    marks().store.remove([marks().key("ORD-1")])


def marks():
    return idempotency.from_settings()


def audit():
    return list(AuditEntry.objects.values("actor", "action", "subject", "detail"))


def held():
    found = clearing.known("ORD-1")
    return bool(found.mark), bool(found.status_record)


def test_the_mark_and_the_status_record_are_removed_on_record(entered):
    assert held() == (True, True)
    answer = run("clear_idempotency", "ORD-1", "--yes", "--user", "ann", "--reason", "replay test", "--json")

    assert answer.code == 0
    assert answer.json["removed"] is True
    assert answer.json["mark"] == "idempotency:ORD-1"
    assert held() == (False, False)
    (entry,) = audit()
    assert entry["actor"].startswith("ann (")
    assert (entry["action"], entry["subject"]) == ("idempotency.clear", "ORD-1")
    assert entry["detail"]["reason"] == "replay test"
    assert abs(AuditEntry.objects.get().at - datetime.now(UTC)).total_seconds() < 60


def test_without_yes_it_says_what_it_would_remove_and_leaves_it(entered):
    answer = run("clear_idempotency", "ORD-1")
    assert answer.code == 1
    assert (
        "Would remove:\n  idempotency mark: idempotency:ORD-1\n  status record: orderStatus:" in answer.text
    )
    assert "give --yes" in answer.errors
    assert held() == (True, True)
    assert audit() == []


def test_sql_still_refuses_a_second_entry_and_the_command_says_so(entered):
    answer = run("clear_idempotency", "ORD-1", "--yes")
    assert "SQL has ORD-1 (PLACED) and still refuses a second entry" in answer.text
    assert book.enter(entered, message_id="m-2", actor="test") is Entry.KNOWN
    other = builders.order("ORD-1", price=1)
    assert book.enter(other, message_id="m-3", actor="test") is Entry.CONFLICT


def test_an_order_nobody_knows_is_told_to_be_entered_next_time(each_store):
    answer = run("clear_idempotency", "ORD-404", "--yes")
    assert answer.code == 0
    assert "idempotency mark: there is none" in answer.text
    assert "the next message that brings it enters it" in answer.text


def test_other_orders_keep_what_the_stores_hold_of_them(entered):
    order = builders.order("ORD-10")
    marks().write([marks().record(order, "m-10")])
    run("clear_idempotency", "ORD-1", "--yes")
    assert marks().store.read([marks().key("ORD-10")])
    marks().store.remove([marks().key("ORD-10")])


def test_with_the_store_down_nothing_is_claimed_to_have_been_done(dead_store):
    answer = run("clear_idempotency", "ORD-1", "--yes")
    assert (answer.code, answer.text) == (1, "")
    assert "Redis:" in answer.errors
    assert audit() == []


def test_a_removal_that_fails_half_way_is_on_record_as_failed(entered, monkeypatch):
    def fail(self, keys):
        raise StoreUnavailable("the line went dead")

    monkeypatch.setattr("orders.stores.breaker.Breaker.remove", fail)
    answer = run("clear_idempotency", "ORD-1", "--yes")
    monkeypatch.undo()

    assert answer.code == 1
    assert "the line went dead" in answer.errors
    assert [entry["action"] for entry in reversed(audit())] == [
        "idempotency.clear",
        "idempotency.clear_failed",
    ]
    assert audit()[0]["detail"]["failure"] == "the line went dead"
