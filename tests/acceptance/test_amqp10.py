"""The whole service on a broker that speaks AMQP 1.0 alone, its configuration that of any other."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.acceptance.system import system
from tests.builders import body


@pytest.fixture
def made(database, strict_peer, tmp_path):
    queue = f"test-{uuid4().hex}"
    routed = f"{queue}-routed"
    names = {"MQ__CONSUMER_QUEUE": queue, "MQ__PRODUCER_QUEUE": routed, "MQ__DECLARE": "false"}
    url = f"amqp://guest:guest@127.0.0.1:{strict_peer.port}"
    for name in (queue, routed):
        strict_peer.ask("declare", queue=name)
    with (
        system(database, tmp_path) as plain,
        plain.configured(MQ__BROKER_URL=url, **names) as made,
    ):
        made.queue, made.routed = queue, routed
        yield made
    for name in (queue, routed):
        strict_peer.ask("delete", queue=name)


def put(peer, queue, content, *, message_id="m-1", delivered=0):
    import proton

    message = proton.Message(
        body=content,
        inferred=True,
        id=message_id,
        content_type="application/json",
        delivery_count=delivered,
        first_acquirer=not delivered,
    )
    peer.put(queue, [message])


def test_orders_are_published_routed_and_announced(made, strict_peer):
    made.manage("publish_sample_orders", "300")
    assert strict_peer.ready(made.queue) == 300
    made.drain()
    # Among sample orders are some that are rejected, and repetitions.
    routed = made.statuses()["ROUTED"]
    assert routed > 200
    announced = strict_peer.take(made.routed)
    assert len({message.id for message in announced}) == len(announced) == routed
    assert all(message.id.startswith("routed:") and message.durable for message in announced)
    assert strict_peer.ask("depth", queue=made.queue) == {"ready": 0, "held": 0}


@pytest.mark.long
def test_a_message_that_ends_each_process_is_quarantined(made, strict_peer):
    put(strict_peer, made.queue, body("ORD-1"))
    # Only from its second delivery on is it known that something went wrong with the first.
    for counted in ([], [], [(1,)], [(2,)]):
        assert made.rows("SELECT attempts FROM delivery_attempts") == counted
        made.manage("consume_orders", "--once", "--crash-at", "decode", expect=-9)
    made.drain()
    assert made.rows("SELECT reason, message_id FROM rejected_messages") == [("POISON", "m-1")]
    assert made.statuses() == {}
    assert strict_peer.ask("depth", queue=made.queue) == {"ready": 0, "held": 0}


@pytest.mark.long
def test_a_rejected_message_is_replayed(made, strict_peer):
    put(strict_peer, made.queue, b"no order", delivered=1)
    made.drain()
    assert made.rows("SELECT reason, convert_from(body, 'UTF8') FROM rejected_messages") == [
        ("UNREADABLE", "no order")
    ]
    made.manage("replay_rejected", "--all", "--reason", "again", "--user", "op")
    (message,) = strict_peer.take(made.queue)
    assert (message.id, bytes(message.body)) == ("m-1", b"no order")


@pytest.mark.long
def test_the_depth_of_its_queues_is_not_told_and_the_command_says_so(made):
    made.manage("queue_depth", expect=1)


@pytest.mark.long
def test_preflight_names_what_it_speaks(made):
    found = json.loads(made.manage("preflight", "--json", expect=1))
    assert "AMQP 1.0" in json.dumps(found)
