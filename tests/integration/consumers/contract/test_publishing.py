"""Each message sent has its outcome, once, and what is confirmed is there."""

from __future__ import annotations

import pytest

from consumers.transport import Outcome
from tests.integration.consumers.benches import Bench
from tests.integration.consumers.contract.messages import bodies, numbered

CONFIRMED, NACKED, RETURNED = Outcome.CONFIRMED, Outcome.NACKED, Outcome.RETURNED


def test_thousands_published_at_once_are_each_confirmed_and_there(bench: Bench):
    messages = numbered(5000)
    assert bench.publisher().publish(messages) == [CONFIRMED] * 5000
    consumer = bench.consumer(prefetch=5000)
    consumer.await_deliveries(5000)
    assert sorted(consumer.bodies) == sorted(bodies(messages))


def test_confirms_keep_coming_while_all_that_is_sent_is_taken_and_acknowledged(bench: Bench):
    consumer, publisher = bench.consumer(prefetch=50, acks=True), bench.publisher()
    for start in range(0, 2000, 250):
        publisher.send(numbered(250, start=start))
    bench.loop.until(lambda: len(publisher.outcomes) == len(consumer.deliveries) == 2000)
    assert {outcome for _, outcome in publisher.outcomes} == {CONFIRMED}
    assert sorted(consumer.bodies) == sorted(bodies(numbered(2000)))


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


def test_each_message_for_a_missing_queue_is_returned_and_taken_once_it_is_there(bench: Bench):
    if bench.remove is None or bench.create is None:
        pytest.skip("no queue is missing here, or nothing says so")
    bench.configure(declare=False)
    publisher = bench.publisher()
    bench.remove()
    bench.loop.poll(lambda: RETURNED in publisher.publish(numbered(1)))
    assert publisher.publish(numbered(700)) == [RETURNED] * 700
    bench.create()
    bench.loop.poll(lambda: publisher.publish(numbered(1)) == [CONFIRMED])
    assert publisher.publish(numbered(700)) == [CONFIRMED] * 700


def test_what_a_full_queue_refuses_is_nacked(bench: Bench):
    if bench.limit is None:
        pytest.skip("this queue is never full, or nothing says so")
    bench.limit(3)
    bench.configure(declare=False)
    publisher = bench.publisher()
    outcomes = [publisher.publish(numbered(1))[0] for _ in range(5)]
    assert outcomes == [CONFIRMED] * 3 + [NACKED] * 2
    assert publisher.downs == []
