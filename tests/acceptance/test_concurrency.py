"""Persons, workers and retry jobs on the same orders at once: one wins, the others hear so, events tell the story."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from orders import halts
from orders.models import Order, OrderEvent
from routing import manual
from routing.models import OrderRoute
from routing.operations import Refused
from tests.acceptance.system import system
from tests.at_once import at_once
from tests.builders import body
from tests.servers.postgres import Database
from tests.waiting import wait_until

LATENCY_MS = 1500


@pytest.fixture
def here(transactional_db, postgresql):
    """The test's own database: what persons do is done in this process, workers are others."""
    return Database(name=connection.settings_dict["NAME"], host=postgresql)


@pytest.fixture
def running(here, tmp_path):
    with system(here, tmp_path) as made:
        yield made


@pytest.fixture
def calling(running):
    """A worker whose call for ORD-1 is at the router, which takes its time."""
    running.router.turn(latency_ms=LATENCY_MS)
    running.start("consume_orders")
    running.publish(("m-1", body("ORD-1")))
    wait_until(lambda: running.router.executions()["totals"]["requests"], what="the router is asked")
    return running


def events(order_id="ORD-1"):
    return " ".join(
        OrderEvent.objects.filter(order_id=order_id).order_by("sequence").values_list("event", flat=True)
    )


def outcomes(order_id="ORD-1"):
    return " ".join(
        OrderRoute.objects.filter(order_id=order_id).order_by("attempt").values_list("outcome", flat=True)
    )


def await_status(order_id, status):
    wait_until(
        lambda: Order.objects.filter(pk=order_id, status=status).exists(), what=f"{order_id} is {status}"
    )


def route(order_id="ORD-1"):
    manual.route_by_hand(order_id, route="LSE-DESK", reason="client called", actor="ann")


def cancel(order_id="ORD-1"):
    manual.cancel(order_id, reason="client withdrew", actor="bob")


def test_while_a_call_is_out_a_person_is_told_until_when_and_the_machine_goes_on(calling):
    for act in (route, cancel):
        with pytest.raises(Refused, match="is being routed by the machine until") as refused:
            act()
        assert refused.value.claimed_until == Order.objects.get().claimed_until

    await_status("ORD-1", "ROUTED")
    assert (events(), outcomes()) == ("PLACED ROUTED", "ACCEPTED")
    assert Order.objects.get().route != "LSE-DESK"
    cancel()
    assert events() == "PLACED ROUTED CANCELED"


def test_of_persons_who_route_cancel_and_retry_at_once_each_is_done_or_refused_and_none_half(running):
    running.router.turn(refusal_rate=1)
    order_ids = [f"ORD-{number}" for number in range(10)]
    running.publish(*[(f"m-{order_id}", body(order_id)) for order_id in order_ids])
    running.drain()

    def act(number):
        order_id = order_ids[number % 10]
        try:
            [route, cancel, lambda order_id: manual.retry_now(order_id, reason="r", actor="cy")][number % 3](
                order_id
            )
        except Refused as refused:
            return str(refused)
        return None

    said = [answer for answer in at_once(act, range(60), threads=6) if answer]
    assert all("only" in answer or "will be routed" in answer for answer in said)
    stories = {
        events(order_id).removeprefix("PLACED PENDING_ROUTE REVIEW_REQUIRED ") for order_id in order_ids
    }
    assert stories <= {"REVIEW_CLEARED CANCELED", "REVIEW_CLEARED ROUTED CANCELED"}
    assert {order.version - events(order.pk).count(" ") for order in Order.objects.all()} == {1}


def test_retry_jobs_and_a_worker_that_sweep_the_same_orders_call_for_each_once(running):
    orders = 300
    running.env["ORDER_ENTRY__ROUTER__IN_FLIGHT"] = "10"
    running.router.turn(latency_ms=150)
    halt = halts.halt(reason="opening auction", actor="sue")
    running.publish(*[(f"m-{number}", body(f"ORD-{number}")) for number in range(orders)])
    worker = running.start("consume_orders")
    wait_until(lambda: running.statuses() == {"PENDING_ROUTE": orders}, what="all are parked")
    assert halts.lift(halt.pk, reason="all is well", actor="sue")
    with ThreadPoolExecutor(2) as pool:
        jobs = list(
            pool.map(lambda _: json.loads(running.manage("retry_pending_routes", "--json")), range(2))
        )

    wait_until(lambda: running.statuses() == {"ROUTED": orders}, what="all are routed")
    worker.stop(30)
    totals = running.router.executions()["totals"]
    assert (totals["requests"], totals["executions"]) == (orders, orders)
    assert OrderRoute.objects.count() == orders
    assert all(job["taken"] == job["routed"] > 0 for job in jobs)
    assert sum(job["taken"] for job in jobs) < orders


def test_a_worker_that_stood_still_past_its_claim_finds_its_answers_late(here, tmp_path):
    """SIGSTOP while four calls are out: one order is left alone meanwhile, the others get other fates."""
    with system(here, tmp_path, ROUTER__TIMEOUT="1s", ROUTER__CLAIM="2s") as made:
        made.router.turn(latency_ms=500)
        frozen = made.start("consume_orders")
        order_ids = ["LEFT", "TAKEN", "CANCELED", "BY-HAND"]
        made.publish(*[(f"m-{each}", body(each, symbol=f"S-{each}")) for each in order_ids])
        wait_until(lambda: made.router.executions()["totals"]["requests"] == 4, what="four calls are out")
        os.killpg(frozen.pid, signal.SIGSTOP)

        halts.halt(symbol="S-LEFT", reason="nobody is to take it", actor="sue")
        wait_until(lambda: not refused(cancel, "CANCELED"), what="the claims run out")
        route("BY-HAND")
        made.manage("retry_pending_routes")
        await_status("TAKEN", "ROUTED")
        os.killpg(frozen.pid, signal.SIGCONT)

        await_status("LEFT", "ROUTED")
        wait_until(
            lambda: OrderRoute.objects.filter(outcome="LATE").count() == 3, what="three answers are late"
        )
        # An acceptance that comes late goes before a person, whatever has become of the order.
        assert {each: (events(each), outcomes(each)) for each in order_ids} == {
            "LEFT": ("PLACED ROUTED", "ACCEPTED"),
            "TAKEN": ("PLACED ROUTED REVIEW_REQUIRED", "UNKNOWN ACCEPTED LATE"),
            "CANCELED": ("PLACED CANCELED REVIEW_REQUIRED", "UNKNOWN LATE"),
            "BY-HAND": ("PLACED ROUTED REVIEW_REQUIRED", "UNKNOWN MANUAL LATE"),
        }
        assert Order.objects.get(pk="CANCELED").status == "CANCELED"
        assert Order.objects.get(pk="BY-HAND").route == "LSE-DESK"
        assert made.router.executions()["totals"]["executed_twice"] == 0


def refused(act, order_id):
    try:
        act(order_id)
    except Refused:
        return True
    return False
