"""What every transport does, whatever queue is behind it."""

from __future__ import annotations

import pytest

from consumers.transport import Message, Outcome
from tests.integration.consumers.benches import Bench

CONFIRMED, NACKED = Outcome.CONFIRMED, Outcome.NACKED


def numbered(count: int, *, start: int = 0) -> list[Message]:
    return [Message(b"%d" % number, f"m{number}") for number in range(start, start + count)]


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.body for message in messages]


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b'{"orderId": "\\u0000"}', bytes(range(256)), b"x" * 2**20],
    ids=["empty", "a NUL", "JSON", "every byte", "1 MiB"],
)
def test_a_body_arrives_as_it_was_sent(bench: Bench, body: bytes):
    consumer = bench.consumer()
    assert bench.publisher().publish([Message(body, "m")]) == [CONFIRMED]
    consumer.await_deliveries(1)
    assert consumer.bodies == [body]


def test_ids_content_type_and_headers_arrive_as_they_were_sent(bench: Bench):
    headers = {
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "naïve ключ": "schön",
        "empty": "",
        "number": -(2**40),
        "flag": True,
        "nothing": None,
        "nested": {"list": [1, "two", {"three": []}]},
    }
    message = Message(b"{}", "id-ü" * 10, content_type="application/json; charset=utf-8", headers=headers)
    consumer = bench.consumer()
    bench.publisher().publish([message])
    consumer.await_deliveries(1)
    (delivery,) = consumer.deliveries
    assert delivery.queue == bench.queue
    assert delivery.message_id == message.message_id
    assert delivery.content_type == message.content_type
    assert {**headers, **delivery.headers} == delivery.headers
    assert not delivery.redelivered


def test_a_message_without_any_property_arrives(bench: Bench):
    bench.put(b"bare")
    consumer = bench.consumer()
    consumer.await_deliveries(1)
    (delivery,) = consumer.deliveries
    assert (delivery.body, delivery.message_id, delivery.content_type) == (b"bare", None, None)


def test_messages_arrive_in_the_order_they_were_sent(bench: Bench):
    messages = numbered(500)
    bench.publisher().publish(messages)
    consumer = bench.consumer(prefetch=7, acks=True)
    consumer.await_deliveries(500)
    assert consumer.bodies == bodies(messages)


def test_no_more_than_prefetch_are_held_unacknowledged(bench: Bench):
    bench.publisher().publish(numbered(10))
    consumer = bench.consumer(prefetch=4)
    consumer.await_deliveries(4)
    assert consumer.depth() == 6
    assert len(consumer.deliveries) == 4
    consumer.transport.ack(consumer.deliveries[:3])
    consumer.await_deliveries(7)
    assert consumer.depth() == 3
    assert len(consumer.deliveries) == 7


@pytest.mark.parametrize(
    "rounds",
    [[range(6)], [[0], [1], [2], [3], [4], [5]], [[5], [3], [4], [0], [2], [1]], [[1, 3], [4, 0], [5, 2]]],
    ids=["at once", "in order", "out of order", "with gaps"],
)
def test_what_was_acknowledged_never_comes_back(bench: Bench, rounds: list[list[int]]):
    bench.publisher().publish(numbered(7))
    consumer = bench.consumer()
    consumer.await_deliveries(7)
    for some in rounds:
        consumer.transport.ack([consumer.deliveries[number] for number in some])
    consumer.stop()
    successor = bench.consumer()
    successor.await_deliveries(1)
    assert successor.depth() == 0
    assert successor.bodies == [b"6"]


def test_a_message_acknowledged_twice_is_acknowledged_once(bench: Bench):
    bench.publisher().publish(numbered(2))
    consumer = bench.consumer()
    consumer.await_deliveries(2)
    first = consumer.deliveries[0]
    consumer.transport.ack([first, first])
    consumer.transport.ack([first])
    assert consumer.depth() == 0
    consumer.stop()
    successor = bench.consumer()
    successor.await_deliveries(1)
    assert successor.bodies == [b"1"]


def test_what_was_not_acknowledged_comes_back_after_a_stop_and_says_so(bench: Bench):
    bench.publisher().publish(numbered(3))
    first = bench.consumer()
    first.await_deliveries(3)
    first.transport.ack([first.deliveries[1]])
    first.stop()
    second = bench.consumer()
    second.await_deliveries(2)
    assert second.bodies == [b"0", b"2"]
    assert all(delivery.redelivered for delivery in second.deliveries)


def test_a_cut_connection_is_told_and_made_again(bench: Bench):
    consumer, publisher = bench.consumer(), bench.publisher()
    bench.cut()
    bench.loop.until(lambda: consumer.ups == 2 and publisher.ups == 2)
    assert len(consumer.downs) == 1
    assert consumer.downs[0]
    assert publisher.publish(numbered(1)) == [CONFIRMED]
    consumer.await_deliveries(1)


def test_an_acknowledgement_for_a_connection_that_ended_is_ignored(bench: Bench):
    bench.publisher().publish(numbered(2))
    consumer = bench.consumer()
    consumer.await_deliveries(2)
    bench.cut()
    consumer.await_deliveries(4)
    assert [delivery.redelivered for delivery in consumer.deliveries] == [False, False, True, True]
    consumer.transport.ack(consumer.deliveries[:2])
    consumer.stop()
    third = bench.consumer()
    third.await_deliveries(2)
    assert sorted(third.bodies) == [b"0", b"1"]


def test_thousands_published_at_once_are_each_confirmed_and_there(bench: Bench):
    messages = numbered(5000)
    assert bench.publisher().publish(messages) == [CONFIRMED] * 5000
    consumer = bench.consumer(prefetch=5000)
    consumer.await_deliveries(5000)
    assert sorted(consumer.bodies) == sorted(bodies(messages))


def test_publishing_nothing_is_no_error(bench: Bench):
    publisher = bench.publisher()
    publisher.send([])
    assert publisher.publish(numbered(1)) == [CONFIRMED]


def test_an_outcome_never_comes_from_inside_the_call(bench: Bench):
    publisher = bench.unstarted(consume=False)
    publisher.send(numbered(3))
    assert publisher.outcomes == []
    bench.loop.until(lambda: len(publisher.outcomes) == 3)


def test_publishing_without_a_connection_is_nacked(bench: Bench):
    publisher = bench.unstarted(consume=False)
    assert publisher.publish(numbered(3)) == [NACKED] * 3


def test_what_a_cut_leaves_unconfirmed_is_answered_once(bench: Bench):
    publisher = bench.publisher()
    publisher.send(numbered(2000))
    bench.cut()
    bench.loop.until(lambda: len(publisher.outcomes) >= 2000)
    bench.loop.until(lambda: publisher.ups == 2)
    assert sorted(index for index, _ in publisher.outcomes) == list(range(2000))
    assert {outcome for _, outcome in publisher.outcomes} <= {CONFIRMED, NACKED}
    confirmed = {b"%d" % index for index, outcome in publisher.outcomes if outcome is CONFIRMED}
    consumer = bench.consumer(prefetch=5000)
    bench.loop.until(lambda: confirmed <= set(consumer.bodies))


def test_a_property_no_queue_can_carry_is_nacked_alone(bench: Bench):
    publisher = bench.publisher()
    odd = Message(b"odd", "odd", headers={"set": {1, 2}})
    long_id = Message(b"long", "x" * 256)
    surrogate = Message(b"surrogate", "\ud800")
    good = numbered(1)[0]
    assert publisher.publish([odd, good, long_id, surrogate, good]) == [
        NACKED,
        CONFIRMED,
        NACKED,
        NACKED,
        CONFIRMED,
    ]
    assert publisher.downs == []


def test_a_paused_consumer_takes_nothing_until_it_resumes(bench: Bench):
    consumer, publisher = bench.consumer(), bench.publisher()
    consumer.transport.pause()
    assert consumer.depth() == 0
    publisher.publish(numbered(5))
    assert consumer.depth() == 5
    assert consumer.deliveries == []
    consumer.transport.resume()
    consumer.await_deliveries(5)


def test_what_came_before_a_pause_can_be_acknowledged_in_it(bench: Bench):
    bench.publisher().publish(numbered(2))
    consumer = bench.consumer()
    consumer.await_deliveries(2)
    consumer.transport.pause()
    consumer.transport.ack(consumer.deliveries)
    assert consumer.depth() == 0
    consumer.stop()
    successor = bench.consumer()
    assert successor.depth() == 0
    assert successor.deliveries == []


def test_a_consumer_paused_from_the_start_comes_up_and_takes_nothing(bench: Bench):
    bench.publisher().publish(numbered(1))
    consumer = bench.unstarted(consume=True)
    consumer.transport.pause()
    consumer.start()
    assert consumer.depth() == 1
    assert consumer.deliveries == []
    consumer.transport.resume()
    consumer.await_deliveries(1)


def test_a_pause_outlives_a_cut_connection(bench: Bench):
    consumer = bench.consumer()
    consumer.transport.pause()
    bench.cut()
    bench.loop.until(lambda: consumer.ups == 2)
    bench.publisher().publish(numbered(1))
    assert consumer.depth() == 1
    assert consumer.deliveries == []


def test_a_depth_of_0_comes_after_the_last_delivery(bench: Bench):
    publisher = bench.publisher()
    for turn in range(5):
        publisher.publish(numbered(200))
        consumer = bench.consumer(prefetch=1000)
        while consumer.depth() != 0:
            pass
        assert len(consumer.deliveries) == 200, turn
        consumer.transport.ack(consumer.deliveries)
        consumer.stop()


def test_a_depth_of_0_comes_after_the_last_delivery_while_acknowledging(bench: Bench):
    bench.publisher().publish(numbered(1000))
    consumer = bench.consumer(prefetch=10, acks=True)
    while consumer.depth() != 0:
        pass
    assert len(consumer.deliveries) == 1000


def test_there_is_no_depth_without_a_connection(bench: Bench):
    consumer = bench.unstarted(consume=True)
    assert consumer.depth() is None


def test_two_consumers_share_a_queue_without_overlap(bench: Bench):
    one, other = bench.consumer(prefetch=5, acks=True), bench.consumer(prefetch=5, acks=True)
    messages = numbered(300)
    publisher = bench.publisher()
    publisher.publish(messages)
    bench.loop.until(lambda: len(one.deliveries) + len(other.deliveries) >= 300)
    assert sorted(one.bodies + other.bodies) == sorted(bodies(messages))
    assert one.bodies
    assert other.bodies


def test_a_stopped_transport_says_so_once_and_then_nothing(bench: Bench):
    consumer, publisher = bench.consumer(), bench.publisher()
    consumer.stop()
    publisher.publish(numbered(1))
    assert (consumer.stopped, consumer.downs, consumer.deliveries) == (1, [], [])


def test_a_transport_that_never_came_up_can_be_stopped(bench: Bench):
    side = bench.unstarted(consume=True)
    side.stop()
    assert (side.stopped, side.ups) == (1, 0)


def test_a_transport_can_be_stopped_while_it_connects(bench: Bench):
    side = bench.unstarted(consume=True)
    side.transport.start(side)
    side.stop()
    assert (side.stopped, side.ups) == (1, 0)


def test_a_transport_can_be_stopped_while_it_waits_to_connect_again(bench: Bench):
    consumer = bench.consumer()
    bench.cut()
    bench.loop.until(lambda: consumer.downs)
    consumer.stop()
    assert (consumer.stopped, consumer.ups) == (1, 1)


def test_what_a_stopped_transport_is_given_to_publish_is_nacked(bench: Bench):
    publisher = bench.publisher()
    publisher.stop()
    assert publisher.publish(numbered(2)) == [NACKED, NACKED]
