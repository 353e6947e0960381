"""Placing and lifting halts: what is refused, what is on record, what each holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from orders import halts
from orders.halts import Refused
from orders.models import AuditEntry, Halt
from tests.book_rows import order_in_book, parked_order, routed_order

pytestmark = pytest.mark.django_db


def place(**fields: Any) -> Halt:
    return halts.halt(**({"reason": "feed is wrong", "actor": "sue"} | fields))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": " "}, "expected a reason"),
        ({"reason": "x" * 1001}, "expected a reason"),
        ({"symbol": "AAPL", "counterparty": "ACME"}, "not both"),
        ({"until": timezone.now() - timedelta(seconds=1)}, "expected an end in the future"),
    ],
)
def test_a_halt_that_makes_no_sense_is_refused_and_says_why(fields, said):
    with pytest.raises(Refused, match=said):
        place(**fields)
    assert not Halt.objects.exists()
    assert not AuditEntry.objects.exists()


def test_placing_and_lifting_are_on_record_with_who_and_why():
    halt = place(symbol="AAPL", until=timezone.now() + timedelta(hours=1))
    assert [found.pk for found in halts.in_force()] == [halt.pk]
    with pytest.raises(Refused):
        halts.lift(halt.pk, reason="", actor="bob")
    assert halts.lift(halt.pk, reason="the feed is mended", actor="bob")
    assert not halts.lift(halt.pk, reason="again", actor="bob")
    assert not halts.in_force().exists()
    halt.refresh_from_db()
    assert halt.lifted_by == "bob"
    entries = AuditEntry.objects.filter(subject=f"halt:{halt.pk}").order_by("id")
    assert [(entry.actor, entry.action, entry.detail["reason"]) for entry in entries] == [
        ("sue", "halt.place", "feed is wrong"),
        ("bob", "halt.lift", "the feed is mended"),
    ]


def test_each_halt_says_how_many_orders_it_holds(monkeypatch):
    pending = {"needs_review": False, "review_reason": "", "due_at": timezone.now()}
    parked_order("A-1", **pending)
    parked_order("A-2", counterparty="ACME", **pending)
    parked_order("M-1", symbol="MSFT", **pending)
    parked_order("REVIEW")
    order_in_book("PLACED", symbol="MSFT")
    order_in_book("CALLED", claim=uuid4(), claimed_until=timezone.now() + timedelta(seconds=30))
    routed_order("R-1")
    everything, symbol, counterparty = place(), place(symbol="MSFT"), place(counterparty="ACME")
    other = place(symbol="TSLA")
    halts.lift(place().pk, reason="at once", actor="sue")
    held = halts.held()
    assert held.by_halt == {everything.pk: 4, symbol.pk: 2, counterparty.pk: 1, other.pk: 0}
    assert held.complete
    monkeypatch.setattr(halts, "MOST_COUNTED", 2)
    assert not halts.held().complete
    Halt.objects.all().delete()
    assert halts.held() == halts.Held({}, complete=True)
