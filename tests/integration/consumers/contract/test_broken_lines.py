"""Connections that end, and connections that only seem to stand."""

from __future__ import annotations

import pytest

from consumers.transport import Outcome
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import bodies, numbered

CONFIRMED, NACKED = Outcome.CONFIRMED, Outcome.NACKED


def test_a_cut_connection_is_told_and_made_again(bench: Bench):
    consumer, publisher = bench.consumer(), bench.publisher()
    bench.cut()
    bench.loop.until(lambda: consumer.ups == 2 and publisher.ups == 2)
    assert len(consumer.downs) == 1
    assert consumer.downs[0]
    assert publisher.publish(numbered(1)) == [CONFIRMED]
    consumer.await_deliveries(1)


@pytest.mark.long
def test_whatever_is_cut_off_meanwhile_all_that_is_confirmed_arrives(bench: Bench):
    consumer, publisher = bench.consumer(prefetch=20, acks=True), bench.publisher()
    confirmed: set[bytes] = set()
    for turn in range(4):
        messages = numbered(200, start=turn * 200)
        publisher.outcomes.clear()
        publisher.send(messages)
        bench.loop.until(lambda: len(publisher.outcomes) > 20)
        bench.cut()
        bench.loop.until(lambda: len(publisher.outcomes) == 200)
        confirmed |= {messages[index].body for index, outcome in publisher.outcomes if outcome is CONFIRMED}
        again = turn + 2
        bench.loop.until(lambda again=again: publisher.ups == consumer.ups == again)
    bench.loop.until(lambda: confirmed <= set(consumer.bodies))
    assert set(consumer.bodies) <= set(bodies(numbered(800)))


def test_a_missing_queue_is_named_and_consumed_from_once_it_is_there(bench: Bench):
    if bench.remove is None or bench.create is None:
        pytest.skip("no queue is missing here")
    bench.configure(declare=False)
    bench.remove()
    consumer = bench.unstarted(consume=True)
    consumer.transport.start(consumer)
    bench.loop.until(lambda: len(consumer.downs) == 2)
    assert f"queue {bench.queue} does not exist: create it" in consumer.downs[0]
    bench.create()
    bench.loop.until(lambda: consumer.ups)
    bench.put(b"{}")
    consumer.await_deliveries(1)


def test_a_queue_deleted_under_its_consumer_is_told_and_consumed_from_again(bench: Bench):
    if bench.remove is None or bench.create is None:
        pytest.skip("no queue is deleted here")
    consumer = bench.consumer()
    bench.remove()
    bench.loop.until(lambda: consumer.downs)
    assert "deleted" in consumer.downs[0]
    bench.create()
    bench.loop.until(lambda: consumer.ups == 2)
    bench.put(b"{}")
    consumer.await_deliveries(1)


@pytest.mark.long
def test_a_line_that_swallows_everything_is_given_up_and_made_again(bench: Bench):
    """Half open: each side believes in the connection, and nothing gets through."""
    if bench.line is None:
        pytest.skip("there is no line that could fall silent")
    bench.configure(heartbeat=4)
    bench.put(b"before")
    consumer, publisher = bench.consumer(), bench.publisher()
    consumer.await_deliveries(1)
    bench.line.freeze()
    publisher.send(numbered(3))
    bench.loop.until(lambda: consumer.downs and publisher.downs, patience=40)
    assert [outcome for _, outcome in publisher.outcomes] == [NACKED] * 3
    consumer.transport.ack(consumer.deliveries)
    # What was swallowed stays so: the old connections are not to come back to life.
    bench.cut()
    bench.line.thaw()
    bench.loop.until(lambda: consumer.ups == 2 and publisher.ups == 2, patience=40)
    bench.loop.until(
        lambda: (b"before", True) in [(one.body, one.redelivered) for one in consumer.deliveries]
    )
    assert publisher.publish(numbered(1)) == [CONFIRMED]
