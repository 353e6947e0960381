"""What is in a message."""

from __future__ import annotations

import json

import pytest

from consumers.transport import Message, Outcome
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import numbered

CONFIRMED, NACKED = Outcome.CONFIRMED, Outcome.NACKED
MEBIBYTE = 2**20


def test_bodies_arrive_as_they_were_sent(bench: Bench):
    sent = [b"", b"\0", b'{"orderId": "\\u0000"}', bytes(range(256)), b"x" * (3 * MEBIBYTE), b"behind"]
    consumer = bench.consumer()
    messages = [Message(body, f"m{number}") for number, body in enumerate(sent)]
    assert bench.publisher().publish(messages) == [CONFIRMED] * len(sent)
    consumer.await_deliveries(len(sent))
    assert consumer.bodies == sent


@pytest.mark.long
def test_many_large_messages_at_once_all_arrive(bench: Bench):
    messages = [Message(b"%02d" % number * (MEBIBYTE // 2), f"m{number}") for number in range(40)]
    assert bench.publisher().publish(messages) == [CONFIRMED] * 40
    consumer = bench.consumer(prefetch=50)
    consumer.await_deliveries(40)
    assert consumer.bodies == [message.body for message in messages]


def test_ids_content_type_and_headers_arrive_as_they_were_sent(bench: Bench):
    headers = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "naïve ключ": "schön",
        "empty": "",
        "number": -(2**40),
        "flag": True,
        "nothing": None,
    }
    nested = {"list": [1, "two", {"three": []}]}
    message = Message(
        b"{}",
        "id-ü" * 10,
        content_type="application/json; charset=utf-8",
        headers=headers | {"nested": nested},
    )
    consumer = bench.consumer()
    bench.publisher().publish([message])
    consumer.await_deliveries(1)
    (delivery,) = consumer.deliveries
    assert delivery.queue == bench.queue
    assert delivery.message_id == message.message_id
    assert delivery.content_type == message.content_type
    arrived = dict(delivery.headers)
    came = arrived.pop("nested")
    assert (json.loads(came) if bench.flat else came) == nested
    assert {**headers, **arrived} == arrived
    assert not delivery.redelivered


def test_a_message_without_any_property_arrives(bench: Bench):
    bench.put(b"bare")
    consumer = bench.consumer()
    consumer.await_deliveries(1)
    (delivery,) = consumer.deliveries
    assert (delivery.body, delivery.message_id, delivery.content_type) == (b"bare", None, None)


def test_odd_messages_of_other_programs_arrive_readable(bench: Bench):
    if not bench.odd:
        pytest.skip("nothing odd can be put into this queue")
    for odd in bench.odd:
        odd.put()
    consumer = bench.consumer()
    consumer.await_deliveries(len(bench.odd))
    for odd, delivery in zip(bench.odd, consumer.deliveries, strict=True):
        assert (delivery.body, delivery.message_id) == (odd.body, odd.message_id), odd.what
        assert {**delivery.headers, **odd.headers} == delivery.headers, odd.what
    assert consumer.downs == []


def test_what_the_protocol_cannot_carry_is_nacked_alone(bench: Bench):
    good = numbered(1)[0]
    for odd in bench.unsendable:
        publisher = bench.publisher()
        assert publisher.publish([good, odd, good]) == [CONFIRMED, NACKED, CONFIRMED], odd
        assert publisher.downs == []
        publisher.stop()


def test_messages_arrive_in_the_order_they_were_sent(bench: Bench):
    messages = numbered(500)
    bench.publisher().publish(messages)
    consumer = bench.consumer(prefetch=7, acks=True)
    consumer.await_deliveries(500)
    assert consumer.bodies == [message.body for message in messages]
