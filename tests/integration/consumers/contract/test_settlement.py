"""What is acknowledged is done with; all else comes back, and says so."""

from __future__ import annotations

import pytest

from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import bodies, numbered


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
    successor.await_depth_0()
    assert successor.bodies == [b"6"]


def test_a_message_acknowledged_twice_is_acknowledged_once(bench: Bench):
    bench.publisher().publish(numbered(2))
    consumer = bench.consumer()
    consumer.await_deliveries(2)
    first = consumer.deliveries[0]
    consumer.transport.ack([first, first])
    consumer.transport.ack([first])
    consumer.await_depth_0()
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


def test_a_message_that_ends_its_consumer_again_and_again_says_each_time_that_it_was_tried(bench: Bench):
    """No transport rejects: whoever consumes counts, quarantines and acknowledges."""
    bench.publisher().publish(numbered(1))
    consumer = bench.consumer()
    for turn in range(4):
        consumer.await_deliveries(turn + 1)
        assert consumer.deliveries[turn].redelivered == (turn > 0)
        bench.cut()
    consumer.await_deliveries(5)
    consumer.transport.ack(consumer.deliveries[4:])
    bench.check_ready(0)
    consumer.stop()
    bench.check_ready(0)


@pytest.mark.long
def test_thousands_in_flight_are_settled_one_by_one_backwards(bench: Bench):
    messages = numbered(3000)
    bench.publisher().publish(messages)
    consumer = bench.consumer(prefetch=3000)
    consumer.await_deliveries(3000)
    assert sorted(consumer.bodies) == sorted(bodies(messages))
    for delivery in reversed(consumer.deliveries[1:]):
        consumer.transport.ack([delivery])
    consumer.stop()
    successor = bench.consumer()
    successor.await_deliveries(1)
    successor.await_depth_0()
    assert successor.bodies == [b"0"]
