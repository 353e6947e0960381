"""What an order costs on its way through the whole worker, counted, not timed: statements, store calls, objects.

Queue, store and router are the least that keeps a worker going, so that what is counted is the service's own.
"""

from __future__ import annotations

import gc
import sys

from tests.integration.consumers.bare_worker import BATCH


def test_a_batch_costs_two_statements_and_three_store_calls_however_many_orders_it_holds(worker):
    worker.take("A")
    worker.take("B", 1)
    worker.take("C", 7)
    assert worker.statements == {"place": 3, "settle_routed": 3}
    assert worker.store.calls == {"read": 3, "write": 6}
    assert worker.queue.acks == 3


def test_confirmed_publications_are_marked_by_the_statement_that_settles_the_next_batch(worker, database):
    worker.take("A")
    worker.take("B")
    with database.connect() as connection:
        marked = "SELECT count(*) FROM order_routes WHERE published_at IS NOT NULL AND order_id LIKE 'A-%'"
        assert connection.execute(marked).fetchone() == (BATCH,)


def test_a_routed_order_leaves_nothing_behind_and_makes_few_objects_on_its_way(worker):
    for number in range(3):
        worker.take(f"WARM{number}")
    peak = _Peak(worker.queue)
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for number in range(5):
            worker.take(f"ORD{number}")
        after = sys.getallocatedblocks()
    finally:
        gc.enable()
    # Each is among the recent latencies, and its attempt's id in a timer for the time of grace: both lists have an end.
    assert (after - before) / (5 * BATCH) < 4, "blocks an order leaves behind"
    assert max(peak.blocks) / BATCH < 50, "blocks an order holds when all of its batch are answered"


class _Peak:
    """Blocks allocated since a batch was delivered, when it is acknowledged: all its objects are still there."""

    def __init__(self, queue):
        self.blocks = []
        deliver, publish = queue.deliver, queue.publish

        def delivering(*arguments, **options):
            self._before = sys.getallocatedblocks()
            deliver(*arguments, **options)

        def publishing(messages, on_outcome):
            self.blocks.append(sys.getallocatedblocks() - self._before)
            publish(messages, on_outcome)

        queue.deliver, queue.publish = delivering, publishing
