"""Rejected messages sent again as they came, or under a token of now."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from consumers import quarantine, rejected, replay, token, token_policy
from consumers.models import Reason, RejectedMessage, State
from consumers.rejected import Progress, Refused, Selection
from orders.models import AuditEntry
from tests.builders import body
from tests.integration.consumers.rejected.steps import QUEUE, WHO, as_delivered, delivery, queued, step

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_goes_into_its_queue_as_it_came_and_is_marked_with_who_and_when(reject):
    headers = {"traceparent": "00-1", "x-death": [{"count": 1}], "x-delivery-count": 3}
    row = reject(delivery(body(price=None), headers=headers))
    progress = step()
    assert (progress.done, progress.failures, progress.finished) == (1, [], True)
    (sent,) = queued()
    assert (sent.queue, bytes(sent.body), sent.message_id) == (QUEUE, body(price=None), "m-1")
    assert (sent.content_type, sent.headers) == ("application/json", {"traceparent": "00-1"})
    row.refresh_from_db()
    assert (row.state, row.decided_by, row.replayed_as) == (State.REPLAYED, "ann", "m-1")
    assert row.decided_at is not None
    entry = AuditEntry.objects.get(subject=f"rejected:{row.pk}")
    assert (entry.actor, entry.action) == ("ann", "rejected.replay")
    assert entry.detail == {"reason": "the sender is mended", "as": "m-1"}
    assert step().done == 0


def test_one_that_is_rejected_again_waits_again_with_its_attempts_counted(reject):
    reject(delivery())
    step()
    row = reject(as_delivered(queued()[0]))
    assert (row.state, row.attempts, row.decided_by) == (State.WAITING, 2, "ann")
    assert RejectedMessage.objects.count() == 1


def test_one_that_is_rejected_again_before_it_can_be_marked_goes_on_waiting(reject, monkeypatch):
    row = reject(delivery())
    send = replay.send

    def sent_and_rejected_at_once(*arguments: Any) -> Any:
        outcomes = send(*arguments)
        reject(as_delivered(queued()[0]))
        return outcomes

    monkeypatch.setattr(replay, "send", sent_and_rejected_at_once)
    assert step().done == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.decided_by) == (State.WAITING, 2, "ann")


def test_nothing_is_sent_without_a_reason(reject):
    reject(delivery())
    with pytest.raises(Refused, match="a reason is required"):
        step(reason=" ")
    assert queued() == []


def test_only_what_is_selected_is_sent(reject):
    reject(delivery(body(price=None), "m-price"))
    reject(delivery(body(price=-1), "m-negative"))
    reject(delivery(b"{", "m-broken"))
    assert [(group.reason, group.fault, group.count) for group in rejected.groups()] == [
        ("UNREADABLE", "", 1),
        ("MISSING_FIELD", "price", 1),
        ("BAD_VALUE", "price", 1),
    ]
    step(Selection(reason="BAD_VALUE", fault="price"))
    assert [message.message_id for message in queued()] == ["m-negative"]
    step(Selection(ids=(RejectedMessage.objects.get(message_id="m-broken").pk,)))
    assert [message.message_id for message in queued()] == ["m-negative", "m-broken"]
    assert [group.reason for group in rejected.groups()] == ["MISSING_FIELD"]
    assert step(Selection(queue="OTHER")).done == 0


def test_many_go_in_steps_that_none_is_left_out_of_and_none_is_in_twice(reject, monkeypatch):
    monkeypatch.setattr(rejected, "_STEP", 3)
    monkeypatch.setattr(rejected, "_STEP_BYTES", 2000)
    for number in range(7):
        reject(delivery(b"{" * (1500 if number < 2 else 10), f"m-{number}"))
    progress = Progress(until=timezone.now())
    decide = replay.replay(**WHO)
    sizes = []
    while not progress.finished:
        rejected.step(rejected.ALL, progress, decide)
        sizes.append(progress.done)
        # What comes back meanwhile is not sent in circles.
        reject(as_delivered(queued()[-1]))
    assert sizes == [1, 4, 7]
    assert [message.message_id for message in queued()] == [f"m-{number}" for number in range(7)]
    assert Selection().count() == 3


def test_of_two_people_at_once_both_may_send_and_one_marks(reject):
    row = reject(delivery())
    both = [replay.replay(reason="r", actor=actor) for actor in ("ann", "bob")]
    assert [decide([row]) for decide in both] == [[], []]
    row.refresh_from_db()
    assert row.state == State.REPLAYED
    assert {entry.actor for entry in AuditEntry.objects.all()} == {"ann", "bob"}


@pytest.mark.parametrize("message_id", ["m-1", "m 1", "é" * 200])
def test_a_replayed_message_bears_a_token_of_now_under_an_id_that_can(reject, with_keys, message_id):
    row = reject(delivery(body(), message_id, headers={token.HEADER: "t=1,kid=x,v1=" + "0" * 64}))
    assert row.reason == Reason.BAD_TOKEN
    step()
    (sent,) = queued()
    came = as_delivered(sent)
    policy = token_policy.from_settings()
    assert policy.check(came, quarantine.message_id_of(came), "ORD-1", timezone.now()) is None
    row.refresh_from_db()
    assert row.replayed_as == sent.message_id
    if message_id == "m-1":
        assert sent.message_id == "m-1"


def test_what_cannot_bear_a_token_is_sent_without(reject, with_keys):
    reject(delivery(b"no order", headers={token.HEADER: "t=1"}))
    step()
    assert queued()[0].headers == {}


def test_without_keys_the_token_that_was_refused_is_left_out(reject):
    reject(delivery(body(), headers={token.HEADER: "t=1,kid=x,v1=" + "0" * 64, "x-origin": "desk"}))
    step()
    assert queued()[0].headers == {"x-origin": "desk"}
