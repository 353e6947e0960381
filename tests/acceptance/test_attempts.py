"""Attempts at a redelivered message are counted until it is settled, and not for longer."""

from __future__ import annotations

import pytest

from tests.acceptance.system import system
from tests.builders import body


@pytest.fixture
def made(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url) as made:
        yield made


def redeliver(made):
    """Make the messages of the consumer queue redelivered ones."""
    with made.channel() as channel:
        while (got := channel.basic_get(made.queue))[0] is not None:
            last = got[0].delivery_tag
        channel.basic_nack(last, multiple=True, requeue=True)


def test_a_worker_that_ends_right_after_its_acknowledgement_leaves_no_count_behind(made):
    made.publish(("m-1", body("ORD-1")))
    redeliver(made)

    made.manage("consume_orders", "--once", "--crash-at", "acknowledge", expect=-9)

    assert made.rows("SELECT attempts FROM delivery_attempts") == []
    assert made.statuses() == {"ROUTED": 1}


def test_a_worker_that_ends_before_it_is_done_leaves_its_attempt_counted(made):
    made.publish(("m-1", body("ORD-1")))
    redeliver(made)

    made.manage("consume_orders", "--once", "--crash-at", "decode", expect=-9)

    assert made.rows("SELECT attempts FROM delivery_attempts") == [(1,)]
    made.drain()
    assert made.rows("SELECT attempts FROM delivery_attempts") == []
