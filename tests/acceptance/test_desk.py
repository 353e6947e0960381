"""What a desk does while a worker runs: mends and replays messages, halts and lifts, lets a large order through."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils import timezone

from consumers import rejected, replay
from consumers.models import RejectedMessage
from consumers.rejected import Progress
from orders import halts
from orders.models import Order
from routing import manual
from tests.acceptance.system import system
from tests.builders import body
from tests.integration.consumers.benches import configuring
from tests.servers.postgres import Database
from tests.waiting import wait_until

WHO = {"reason": "looked at", "actor": "ann"}


@pytest.fixture
def desk(transactional_db, postgresql, rabbitmq, tmp_path, monkeypatch):
    """A worker on a broker; people act in this process, on the same book and broker."""
    here = Database(name=connection.settings_dict["NAME"], host=postgresql)
    with system(here, tmp_path, broker=rabbitmq.url, LIMITS__MAX_QUANTITY="1000") as made:
        configuring(monkeypatch)(broker_url=rabbitmq.url, declare=True, producer_queue=made.routed)
        made.start("consume_orders")
        yield made


def status(order_id):
    return Order.objects.filter(pk=order_id).values_list("status", "needs_review").first()


def await_status(order_id, expected, *, review=False):
    wait_until(lambda: status(order_id) == (expected, review), what=f"{order_id} is {expected}")


def await_rejected(count):
    waiting = RejectedMessage.objects.filter(state="WAITING")
    wait_until(lambda: waiting.count() == count, what=f"{count} messages wait in quarantine")


def test_a_worker_routes_what_people_mend_replay_lift_and_let_through(desk):
    # Mended: the worker takes the copy. Replayed as it came: it is rejected again, and waits again.
    desk.publish(("m-1", body("MENDED", price="145.5")), ("m-2", body("BAD", price=None)))
    await_rejected(2)
    row = RejectedMessage.objects.get(message_id="m-1")
    replay.replay_edited(row.pk, body("MENDED"), **WHO)
    await_status("MENDED", "ROUTED")
    progress = Progress(until=timezone.now())
    rejected.step(rejected.ALL, progress, replay.replay(**WHO))
    assert progress.done == 1
    wait_until(lambda: RejectedMessage.objects.get(message_id="m-2").attempts == 2, what="it came back")
    await_rejected(1)

    # Halted: it waits without a call; lifted, it goes on.
    halt = halts.halt(reason="feed is wrong", actor="sue", symbol="AAPL")
    desk.publish(("m-3", body("HALTED")), ("m-4", body("FREE", symbol="MSFT")))
    await_status("FREE", "ROUTED")
    await_status("HALTED", "PENDING_ROUTE")
    assert halts.held().by_halt == {halt.pk: 1}
    halts.lift(halt.pk, **WHO)
    await_status("HALTED", "ROUTED")

    # Too large: it waits for a person, who lets it through.
    desk.publish(("m-5", body("LARGE", quantity=5000)))
    await_status("LARGE", "PENDING_ROUTE", review=True)
    assert "limits.max_quantity 1000" in Order.objects.get(pk="LARGE").review_reason
    manual.clear_review("LARGE", **WHO)
    await_status("LARGE", "ROUTED")

    published = {"MENDED", "HALTED", "FREE", "LARGE"}
    found: set[str] = set()
    wait_until(
        lambda: found.update(fields["orderId"] for _, fields in desk.published()) or found == published,
        what="all of them are published",
    )
    assert desk.router.executions()["totals"]["executions"] == len(published)
