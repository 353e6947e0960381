"""Certificates and their authority replaced under load: connections are made anew, and no order suffers."""

from __future__ import annotations

import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.secured import Secured, secured
from tests.builders import body
from tests.waiting import wait_until

ROUTED = "SELECT count(*) FROM orders WHERE status = 'ROUTED'"


@contextmanager
def load(here: Secured) -> Iterator[list[str]]:
    """Orders without pause, in a list that grows."""
    published: list[str] = []
    ended = threading.Event()

    def publish() -> None:
        while not ended.wait(0.05):
            ids = [f"ORD-{len(published) + n}" for n in range(10)]
            here.system.publish(*[(f"m-{order_id}", body(order_id)) for order_id in ids])
            published.extend(ids)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield published
    finally:
        ended.set()
        thread.join()


def await_routed(here: Secured, count: int) -> None:
    wait_until(lambda: here.system.rows(ROUTED)[0][0] >= count, what=f"{count} orders are ROUTED")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_no_order_is_lost_or_rejected_when_everyones_certificates_are_replaced_under_load(tmp_path):
    with secured(tmp_path, API__SECRET_KEY=string.printable[:60]) as here:
        here.system.manage("preflight")
        here.system.start("consume_orders", "--processes", "2")
        with load(here) as published:
            await_routed(here, 50)
            for _ in range(2):
                before = here.issuers()
                assert [len(issuers) for issuers in before.values()] == [1, 1]
                here.renew_servers()
                here.cut()
                # Nobody knows anybody any more: what comes in now waits.
                waiting = len(published)
                wait_until(lambda known=waiting: len(published) > known + 50, what="orders wait")
                here.renew_client()
                await_routed(here, waiting + 50)
                after = wait_until(
                    lambda old=before: (new := here.issuers()) and all(new.values()) and new != old and new,
                    what="connections stand with new certificates",
                )
                assert not any(before[name] & after[name] for name in after)
        await_routed(here, len(published))
        assert here.system.statuses() == {"ROUTED": len(published)}
        assert here.system.rows("SELECT count(*) FROM rejected_messages") == [(0,)]
        totals = here.system.router.executions()["totals"]
        assert (totals["executions"], totals["executed_twice"]) == (len(published), 0)
        unpublished = "SELECT count(*) FROM order_routes WHERE outcome = 'ACCEPTED' AND published_at IS NULL"
        wait_until(lambda: here.system.rows(unpublished) == [(0,)], what="all are published")
        routed = {document["orderId"] for _, document in here.system.published()}
        assert routed == set(published)
