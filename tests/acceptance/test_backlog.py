"""What an outage has left behind is worked off as fast as it goes, not a batch a second."""

from __future__ import annotations

import time

from tests.acceptance.system import system
from tests.builders import body
from tests.waiting import wait_until

_BATCH = 10
_ORDERS = 300


def test_routes_that_could_not_be_published_are_when_the_queue_is_back(database, rabbitmq, tmp_path):
    settings = {"MQ__BATCH_SIZE": str(_BATCH), "MQ__REPUBLISH_AFTER": "1s", "MQ__DECLARE": "false"}
    with system(database, tmp_path, broker=rabbitmq.url, **settings) as made:
        with made.channel() as channel:
            channel.queue_delete(made.routed)
        made.publish(*[(f"m-{number}", body(f"ORD-{number}")) for number in range(_ORDERS)])
        made.drain()
        assert made.statuses() == {"ROUTED": _ORDERS}
        with made.channel() as channel:
            channel.queue_declare(made.routed, durable=True, arguments={"x-queue-type": "quorum"})

        made.start("consume_orders")

        wait_until(lambda: made.depth(made.routed), what="a first one is published")
        began = time.monotonic()
        wait_until(lambda: made.depth(made.routed) >= _ORDERS, what="all are published")
        assert time.monotonic() - began < _ORDERS / _BATCH / 2
