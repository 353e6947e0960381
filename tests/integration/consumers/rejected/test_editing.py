"""Rejected messages mended: the copy is sent, the original kept."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from consumers import quarantine, replay, token_policy
from consumers.models import RejectedMessage
from consumers.rejected import Refused, Selection
from orders.models import AuditEntry
from tests.book_rows import order_in_book
from tests.builders import body
from tests.integration.consumers.rejected.steps import WHO, as_delivered, delivery, queued, step

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_mended_copy_is_sent_and_the_original_kept(reject):
    row = reject(delivery(body(price="145.5"), headers={"x-origin": "desk"}))
    sent_as = replay.replay_edited(row.pk, body(), **WHO)
    (sent,) = queued()
    assert (bytes(sent.body), sent.message_id, sent.headers) == (body(), sent_as, {"x-origin": "desk"})
    kept = RejectedMessage.objects.get()
    assert (bytes(kept.body), kept.state, kept.replayed_as) == (body(price="145.5"), "REPLAYED", sent_as)
    entry = AuditEntry.objects.get()
    assert json.loads(entry.detail["body"]) == json.loads(body())
    assert entry.detail["contentType"] == "application/json"


def test_a_copy_that_would_be_rejected_too_is_refused_and_says_why(reject):
    row = reject(delivery(body(price=None)))
    with pytest.raises(Refused, match="price is -1; expected a JSON number above 0"):
        replay.replay_edited(row.pk, body(price=-1), **WHO)
    order_in_book("ORD-1")
    with pytest.raises(Refused, match="ORD-1 is in the book with other content"):
        replay.replay_edited(row.pk, body(), **WHO)
    assert queued() == []
    assert Selection().count() == 1


def test_a_copy_bears_a_token_where_there_are_keys(reject, with_keys):
    row = reject(delivery(body(price=None)))
    replay.replay_edited(row.pk, body(), **WHO)
    came = as_delivered(queued()[0])
    policy = token_policy.from_settings()
    assert policy.check(came, quarantine.message_id_of(came), "ORD-1", timezone.now()) is None


def test_what_is_decided_already_cannot_be_mended(reject):
    row = reject(delivery(body(price=None)))
    step()
    with pytest.raises(Refused, match="does not wait any more"):
        replay.replay_edited(row.pk, body(), **WHO)
