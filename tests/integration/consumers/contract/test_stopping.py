"""A transport ends when it is told to, in order, from whatever state."""

from __future__ import annotations

import time

import pytest

from consumers.transport import Message, Outcome
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import numbered

CONFIRMED, NACKED = Outcome.CONFIRMED, Outcome.NACKED


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


def test_a_drain_finishes_what_is_in_flight_and_leaves_the_rest(bench: Bench):
    bench.publisher().publish(numbered(50))
    consumer = bench.consumer(prefetch=20)
    consumer.await_deliveries(20)
    consumer.transport.pause()
    bench.settle(consumer)
    assert len(consumer.deliveries) == 20
    for delivery in consumer.deliveries:
        consumer.transport.ack([delivery])
    consumer.stop()
    successor = bench.consumer(acks=True)
    successor.await_deliveries(30)
    successor.await_depth_0()
    assert successor.bodies == [b"%d" % number for number in range(20, 50)]
    assert not any(delivery.redelivered for delivery in successor.deliveries)


def test_a_stop_under_load_answers_for_every_message_and_keeps_every_one(bench: Bench):
    consumer, publisher = bench.consumer(prefetch=20, acks=True), bench.publisher()
    publisher.send(numbered(1000))
    consumer.await_deliveries(30)
    consumer.stop()
    publisher.stop()
    assert sorted(index for index, _ in publisher.outcomes) == list(range(1000))
    confirmed = {b"%d" % index for index, outcome in publisher.outcomes if outcome is CONFIRMED}
    acknowledged = set(consumer.bodies)
    successor = bench.consumer(prefetch=5000, acks=True)
    bench.loop.until(lambda: confirmed <= acknowledged | set(successor.bodies))


@pytest.mark.long
def test_a_broker_that_falls_silent_does_not_hold_up_a_stop(bench: Bench):
    if bench.line is None:
        pytest.skip("there is no line that could fall silent")
    consumer, publisher = bench.consumer(), bench.publisher()
    bench.line.freeze()
    publisher.send([Message(b"x", "m")])
    began = time.monotonic()
    consumer.stop()
    publisher.stop()
    assert time.monotonic() - began < 6
    assert publisher.outcomes == [(0, NACKED)]


def test_an_error_in_a_listener_ends_the_loop_loudly(bench: Bench):
    consumer = bench.consumer()
    consumer.on_delivery = lambda delivery: 1 / 0
    bench.put(b"{}")
    with pytest.raises(ZeroDivisionError):
        bench.loop.until(lambda: False)
    # The loop keeps its error for whoever runs it again.
    bench.loop.reactor._failure = None
