"""Rejected messages sent again, mended or discarded, by the embedded queue and by a broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pika
import pytest
from django.conf import settings
from django.utils import timezone

from consumers import batch, quarantine, rejected, replay, token, token_policy
from consumers.models import QueueMessage, Reason, RejectedMessage, State
from consumers.quarantine import Rejection
from consumers.rejected import Progress, Refused, Selection
from consumers.transport import Delivery
from order_entry_project.secrets.sources import credentials
from orders.models import AuditEntry
from orders.sql import Sql
from tests.book_rows import order_in_book
from tests.builders import body
from tests.integration.consumers.benches import configuring
from tests.ports import free_port
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "TRADE.VALIDATED.ORDERS"
WHO = {"reason": "the sender is mended", "actor": "ann"}


def delivery(content: bytes = b"{}", message_id: str | None = "m-1", **fields: Any) -> Delivery:
    return Delivery(QUEUE, 1, None, content, message_id, "application/json", **fields)


@pytest.fixture
def sql():
    with closing(Sql(patience=5)) as made:
        yield made


@pytest.fixture
def reject(sql) -> Callable[..., RejectedMessage]:
    """As a worker does that takes the delivery; the row."""

    def one(came: Delivery, reason: Reason | None = None, **fields: Any) -> RejectedMessage:
        if reason is None:
            taken, _ = batch.decode([batch.Job(came, 0.0)])
            (rejection,) = taken.rejections
        else:
            rejection = Rejection(came, reason, "as a test says", **fields)
        quarantine.quarantine(sql, [rejection])
        return RejectedMessage.objects.get(queue=came.queue, message_id=quarantine.message_id_of(came))

    return one


def step(selection: Selection = rejected.ALL, **who: str) -> Progress:
    progress = Progress(until=timezone.now())
    rejected.step(selection, progress, replay.replay(**(WHO | who)))
    return progress


def queued() -> list[QueueMessage]:
    return list(QueueMessage.objects.order_by("id"))


def as_delivered(message: QueueMessage) -> Delivery:
    return Delivery(
        message.queue, 1, None, bytes(message.body), message.message_id, message.content_type, message.headers
    )


class TestReplay:
    def test_a_message_goes_into_its_queue_as_it_came_and_is_marked_with_who_and_when(self, reject):
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

    def test_one_that_is_rejected_again_waits_again_with_its_attempts_counted(self, reject):
        reject(delivery())
        step()
        row = reject(as_delivered(queued()[0]))
        assert (row.state, row.attempts, row.decided_by) == (State.WAITING, 2, "ann")
        assert RejectedMessage.objects.count() == 1

    def test_one_that_is_rejected_again_before_it_can_be_marked_goes_on_waiting(self, reject, monkeypatch):
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

    def test_a_reason_is_required(self, reject):
        reject(delivery())
        with pytest.raises(Refused, match="a reason is required"):
            step(reason=" ")
        assert queued() == []

    def test_only_what_is_selected_is_sent(self, reject):
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

    def test_many_go_in_steps_that_none_is_left_out_of_and_none_is_in_twice(self, reject, monkeypatch):
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

    def test_of_two_people_at_once_both_may_send_and_one_marks(self, reject):
        row = reject(delivery())
        both = [replay.replay(reason="r", actor=actor) for actor in ("ann", "bob")]
        assert [decide([row]) for decide in both] == [[], []]
        row.refresh_from_db()
        assert row.state == State.REPLAYED
        assert {entry.actor for entry in AuditEntry.objects.all()} == {"ann", "bob"}


@pytest.fixture
def with_keys(monkeypatch):
    config = settings.CONFIG
    keyed = config.idempotency.model_validate(
        {"token_keys": {"2026-11": "k" * 40}, "require_token": True, "max_message_age": "1h"}
    )
    config = config.model_copy(update={"idempotency": keyed})
    monkeypatch.setattr(settings, "CONFIG", config)
    monkeypatch.setattr(settings, "CREDENTIALS", credentials(config))


class TestTokens:
    @pytest.mark.parametrize("message_id", ["m-1", "m 1", "é" * 200])
    def test_a_replayed_message_bears_a_token_of_now_under_an_id_that_can(
        self, reject, with_keys, message_id
    ):
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

    def test_what_cannot_bear_a_token_is_sent_without(self, reject, with_keys):
        reject(delivery(b"no order", headers={token.HEADER: "t=1"}))
        step()
        assert queued()[0].headers == {}

    def test_without_keys_the_token_that_was_refused_is_left_out(self, reject):
        reject(delivery(body(), headers={token.HEADER: "t=1,kid=x,v1=" + "0" * 64, "x-origin": "desk"}))
        step()
        assert queued()[0].headers == {"x-origin": "desk"}


class TestEditing:
    def test_the_mended_copy_is_sent_and_the_original_kept(self, reject):
        row = reject(delivery(body(price="145.5"), headers={"x-origin": "desk"}))
        sent_as = replay.replay_edited(row.pk, body(), **WHO)
        (sent,) = queued()
        assert (bytes(sent.body), sent.message_id, sent.headers) == (body(), sent_as, {"x-origin": "desk"})
        kept = RejectedMessage.objects.get()
        assert (bytes(kept.body), kept.state, kept.replayed_as) == (body(price="145.5"), "REPLAYED", sent_as)
        entry = AuditEntry.objects.get()
        assert json.loads(entry.detail["body"]) == json.loads(body())
        assert entry.detail["contentType"] == "application/json"

    def test_a_copy_that_would_be_rejected_too_is_refused_and_says_why(self, reject):
        row = reject(delivery(body(price=None)))
        with pytest.raises(Refused, match="price is -1; expected a JSON number above 0"):
            replay.replay_edited(row.pk, body(price=-1), **WHO)
        order_in_book("ORD-1")
        with pytest.raises(Refused, match="ORD-1 is in the book with other content"):
            replay.replay_edited(row.pk, body(), **WHO)
        assert queued() == []
        assert Selection().count() == 1

    def test_a_copy_bears_a_token_where_there_are_keys(self, reject, with_keys):
        row = reject(delivery(body(price=None)))
        replay.replay_edited(row.pk, body(), **WHO)
        came = as_delivered(queued()[0])
        policy = token_policy.from_settings()
        assert policy.check(came, quarantine.message_id_of(came), "ORD-1", timezone.now()) is None

    def test_what_is_decided_already_is_left_alone(self, reject):
        row = reject(delivery(body(price=None)))
        step()
        with pytest.raises(Refused, match="does not wait any more"):
            replay.replay_edited(row.pk, body(), **WHO)


class TestDiscarding:
    def test_it_is_kept_marked_with_who_and_why_and_comes_back_if_the_message_does(self, reject):
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

    def test_what_was_rejected_again_meanwhile_is_not_discarded_unseen(self, reject):
        row = reject(delivery())
        reject(delivery())
        (failure,) = rejected.discard(reason="seen", actor="ann")([row])
        assert (failure.id, failure.why) == (row.pk, "it has changed meanwhile")
        assert Selection().count() == 1
        assert not AuditEntry.objects.exists()


class TestABroker:
    @pytest.fixture
    def queue(self, rabbitmq, monkeypatch):
        name = f"test-{uuid4().hex}"
        configuring(monkeypatch)(broker_url=rabbitmq.url, declare=True, queue_type="quorum")
        with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
            channel = connection.channel()
            yield channel, name
            channel.queue_delete(name)

    def test_a_message_arrives_persistent_with_its_headers(self, reject, queue):
        channel, name = queue
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
        came = delivery(b"\xff\x00", headers={"a": 1, "b": ["x", None, 2.5], "c": {"d": 2**70}})
        came.queue = name
        row = reject(came)
        assert step().done == 1
        method, properties, content = channel.basic_get(name, auto_ack=True)
        assert method is not None
        assert (content, properties.message_id, properties.delivery_mode) == (b"\xff\x00", "m-1", 2)
        assert {name: properties.headers[name] for name in "abc"} == {
            "a": 1,
            "b": ["x", None, "2.5"],
            "c": {"d": str(2**70)},
        }
        row.refresh_from_db()
        assert row.state == State.REPLAYED

    def test_without_the_queue_the_message_waits_and_it_is_said(self, reject, queue):
        came = delivery()
        came.queue = queue[1]
        row = reject(came)
        progress = step()
        assert progress.done == 0
        assert [failure.why for failure in progress.failures] == [f"there is no queue {queue[1]}"]
        row.refresh_from_db()
        assert (row.state, row.decided_at) == (State.WAITING, None)

    def test_without_the_broker_the_message_waits_and_it_is_said(self, reject, queue, monkeypatch):
        row = reject(delivery())
        configuring(monkeypatch)(broker_url=f"amqp://127.0.0.1:{free_port()}")
        monkeypatch.setattr("consumers.sending._TO_CONNECT", 0.3)
        with pytest.raises(Refused, match=f"{QUEUE} cannot be reached: .*refused"):
            step()
        row.refresh_from_db()
        assert (row.state, row.decided_at) == (State.WAITING, None)
        assert not AuditEntry.objects.exists()


class TestTheCommand:
    def test_it_says_what_waits_and_sends_it(self, reject):
        reject(delivery(body(price=None), "m-1"))
        reject(delivery(b"{", "m-2"))
        dry = run("replay_rejected", "--all", "--dry-run", "--json").json
        assert dry["waiting"] == 2
        assert [(group["reason"], group["count"]) for group in dry["groups"]] == [
            ("UNREADABLE", 1),
            ("MISSING_FIELD", 1),
        ]
        assert "price" in run("replay_rejected", "--fault", "price", "--dry-run").text
        assert run("replay_rejected", "--queue", "none", "--dry-run").text == "No such message waits.\n"
        assert queued() == []
        answer = run("replay_rejected", "--rejected-for", "MISSING_FIELD", "--user", "ann", "--json")
        assert answer.json == {"replayed": 1, "failed": []}
        assert [message.message_id for message in queued()] == ["m-1"]
        assert AuditEntry.objects.get().actor.startswith("ann (")
        assert run("replay_rejected", "--all").text == "1 messages are in their queues again.\n"

    @pytest.mark.parametrize("arguments", [[], ["--all", "--id", "1"]])
    def test_it_wants_to_be_told_which(self, arguments):
        assert run("replay_rejected", *arguments).code == 2

    def test_what_is_not_sent_is_named_and_the_exit_code_says_so(self, reject, monkeypatch):
        reject(delivery())
        failure = rejected.Failure(7, "m-7", "the queue is full")
        monkeypatch.setattr(
            "consumers.management.commands.replay_rejected.replay", lambda **_: lambda _: [failure]
        )
        answer = run("replay_rejected", "--all")
        assert answer.code == 1
        assert "7 m-7: the queue is full" in answer.errors
        assert "1 messages were not sent and still wait." in answer.errors


def test_a_group_tells_how_many_and_since_when(sql):
    many = [Rejection(delivery(b"{}", f"m-{number}"), Reason.POISON, "e") for number in range(3)]
    quarantine.quarantine(sql, many)
    first = RejectedMessage.objects.order_by("pk")[0]
    RejectedMessage.objects.filter(pk=first.pk).update(rejected_at=first.rejected_at - timedelta(days=1))
    (group,) = rejected.groups()
    assert (group.reason, group.count) == ("POISON", 3)
    assert group.newest - group.oldest >= timedelta(days=1)
