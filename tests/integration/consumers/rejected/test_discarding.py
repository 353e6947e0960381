"""Rejected messages that nobody wants any more, and how many there are of a kind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from consumers import quarantine, rejected
from consumers.models import Reason, RejectedMessage, State
from consumers.quarantine import Rejection
from consumers.rejected import Progress, Selection
from orders.models import AuditEntry
from tests.integration.consumers.rejected.steps import delivery, step

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_discarded_is_kept_marked_with_who_and_why_and_comes_back_if_the_message_does(reject):
    row = reject(delivery())
    progress = Progress(until=timezone.now())
    rejected.step(rejected.ALL, progress, rejected.discard(reason="a test message", actor="ann"))
    assert (progress.done, progress.finished) == (1, True)
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.decision_reason) == ("DISCARDED", "ann", "a test message")
    entry = AuditEntry.objects.get(subject=f"rejected:{row.pk}")
    assert (entry.action, entry.detail) == ("rejected.discard", {"reason": "a test message"})
    assert step().done == 0
    assert reject(delivery()).state == State.WAITING


def test_what_was_rejected_again_meanwhile_is_not_discarded_unseen(reject):
    row = reject(delivery())
    reject(delivery())
    (failure,) = rejected.discard(reason="seen", actor="ann")([row])
    assert (failure.id, failure.why) == (row.pk, "it has changed meanwhile")
    assert Selection().count() == 1
    assert not AuditEntry.objects.exists()


def test_a_group_tells_how_many_and_since_when(sql):
    many = [Rejection(delivery(b"{}", f"m-{number}"), Reason.POISON, "e") for number in range(3)]
    quarantine.quarantine(sql, many)
    first = RejectedMessage.objects.order_by("pk")[0]
    RejectedMessage.objects.filter(pk=first.pk).update(rejected_at=first.rejected_at - timedelta(days=1))
    (group,) = rejected.groups()
    assert (group.reason, group.count) == ("POISON", 3)
    assert group.newest - group.oldest >= timedelta(days=1)
