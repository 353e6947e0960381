"""Rejected messages sent again at a broker."""

from __future__ import annotations

from uuid import uuid4

import pika
import pytest

from consumers.models import State
from consumers.rejected import Refused
from orders.models import AuditEntry
from tests.integration.consumers.benches import configuring
from tests.integration.consumers.rejected.steps import QUEUE, delivery, step
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(rabbitmq, monkeypatch):
    name = f"test-{uuid4().hex}"
    configuring(monkeypatch)(broker_url=rabbitmq.url, declare=True, queue_type="quorum")
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        channel = connection.channel()
        yield channel, name
        channel.queue_delete(name)


def test_a_message_arrives_persistent_with_its_headers(reject, queue):
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


def test_without_the_queue_the_message_waits_and_it_is_said(reject, queue):
    came = delivery()
    came.queue = queue[1]
    row = reject(came)
    progress = step()
    assert progress.done == 0
    assert [failure.why for failure in progress.failures] == [f"there is no queue {queue[1]}"]
    row.refresh_from_db()
    assert (row.state, row.decided_at) == (State.WAITING, None)


def test_without_the_broker_the_message_waits_and_it_is_said(reject, queue, monkeypatch):
    row = reject(delivery())
    configuring(monkeypatch)(broker_url=f"amqp://127.0.0.1:{free_port()}")
    monkeypatch.setattr("consumers.sending._TO_CONNECT", 0.3)
    with pytest.raises(Refused, match=f"{QUEUE} cannot be reached: .*refused"):
        step()
    row.refresh_from_db()
    assert (row.state, row.decided_at) == (State.WAITING, None)
    assert not AuditEntry.objects.exists()
