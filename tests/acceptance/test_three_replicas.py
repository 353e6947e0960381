"""Three instances on one queue, one of which dies under load: the others take over what it had."""

from __future__ import annotations

import os
import signal
from threading import Thread

import pytest

from tests.acceptance.system import system
from tests.builders import body
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]

_BEFORE, _AFTER = 1500, 1500
_HOLD = 5  # seconds that a claim of the dead one keeps others away


def numbered(first: int, count: int) -> list[tuple[str, bytes]]:
    return [(f"m-{number}", body(f"ORD-{number}")) for number in range(first, first + count)]


def test_orders_go_on_when_one_of_three_instances_is_killed_under_load(database, rabbitmq, tmp_path):
    settings = {"SERVICE__PROCESSES": "2", "ROUTER__CLAIM": f"{_HOLD}s", "MQ__BATCH_SIZE": "20"}
    with system(database, tmp_path, broker=rabbitmq.url, **settings) as made:
        made.router.turn(latency_ms=20)
        instances = [made.start("consume_orders", name=f"instance-{number}") for number in range(3)]
        made.publish(*numbered(0, _BEFORE))

        def routed_by() -> dict[str, int]:
            """By worker, whose process its name ends with."""
            return made.counts("SELECT decided_by, count(*) FROM order_routes GROUP BY 1")

        wait_until(lambda: len(routed_by()) == 6, what="all six workers have routed some")
        load = Thread(target=made.publish, args=numbered(_BEFORE, _AFTER))
        load.start()
        os.killpg(instances[0].pid, signal.SIGKILL)
        load.join()

        total = _BEFORE + _AFTER
        wait_until(lambda: made.statuses() == {"ROUTED": total}, what="all orders are routed")
        assert made.rows(
            "SELECT count(*), count(DISTINCT order_id) FROM order_routes WHERE outcome = 'ACCEPTED'"
        ) == [(total, total)]
        totals = made.router.executions()["totals"]
        assert (totals["executions"], totals["executed_twice"]) == (total, 0)
        wait_until(
            lambda: (
                made.rows(
                    "SELECT count(*) FROM order_routes WHERE published_at IS NULL AND outcome = 'ACCEPTED'"
                )
                == [(0,)]
            ),
            what="all are published",
        )
        assert {message["orderId"] for _, message in made.published()} == {
            f"ORD-{number}" for number in range(total)
        }
        for instance in instances[1:]:
            instance.check()
