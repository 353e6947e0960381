"""`manage.py consume_orders` as a process, on a real broker, database, registry and router."""

import json
import os
import signal
from pathlib import Path

import pytest
import requests

from tests.acceptance.system import system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.simulated import simulated_registry
from tests.waiting import wait_until

BROKEN = {
    "not-json": (b"orderId=1", "UNREADABLE"),
    "not-an-object": (b"[1, 2]", "UNREADABLE"),
    "bad-utf-8": (b'{"orderId": "\xff"}', "UNREADABLE"),
    "no-price": (body("BAD-1", price=None), "MISSING_FIELD"),
    "negative-price": (body("BAD-2", price=-1), "BAD_VALUE"),
    "over-precise-price": (body("BAD-3").replace(b"145.5", b"0.1234567891"), "BAD_VALUE"),
    "text-for-a-number": (body("BAD-4", quantity="many"), "BAD_VALUE"),
    "nan": (body("BAD-5").replace(b"145.5", b"NaN"), "UNREADABLE"),
    "duplicate-key": (b'{"orderId": "BAD-6", "orderId": "BAD-7"}', "UNREADABLE"),
    "lone-surrogate": (body("BAD-8").replace(b"AAPL", b"\\ud800"), "BAD_VALUE"),
    "nul": (body("BAD-9").replace(b"AAPL", b"A\\u0000"), "BAD_VALUE"),
    "too-deep": (b'{"orderId": "BAD-10", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "UNREADABLE"),
    "too-large": (b'{"orderId": "' + b"A" * (1 << 20) + b'"}', "TOO_LARGE"),
    "empty": (b"", "UNREADABLE"),
}


@pytest.fixture(params=["quorum", pytest.param("classic", marks=pytest.mark.long)])
def on_rabbitmq(request, database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, queue_type=request.param) as made:
        yield made


@pytest.fixture
def quorum(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url) as made:
        yield made


@pytest.fixture
def embedded(database, tmp_path):
    with system(database, tmp_path) as made:
        yield made


def orders(count, prefix="ORD"):
    return [
        (f"m-{number}", body(f"{prefix}-{number:04}", counterparty=f"CP-{number % 7}"))
        for number in range(count)
    ]


def test_a_thousand_mixed_orders_end_where_they_should(on_rabbitmq):
    good = orders(900)
    repeated = good[100:150]
    conflicting = [("m-other", body("ORD-0005", price=1))]
    broken = [(f"b-{name}", content) for name, (content, _) in BROKEN.items()]
    on_rabbitmq.publish(*good, *repeated, *broken, *conflicting)

    summary = on_rabbitmq.drain()

    assert summary["taken"] == 900 + 50 + len(BROKEN) + 1
    assert (summary["routed"], summary["published"], summary["duplicates"]) == (900, 900, 50)
    assert (summary["rejected"], summary["pending"]) == (len(BROKEN) + 1, 0)
    check_book(on_rabbitmq)
    check_rejected(on_rabbitmq)
    check_published(on_rabbitmq)
    check_cache_and_api(on_rabbitmq)
    assert on_rabbitmq.depth(on_rabbitmq.queue) == 0


def check_book(made):
    assert made.statuses() == {"ROUTED": 900}
    assert made.counts("SELECT event, count(*) FROM order_events GROUP BY 1") == {
        "PLACED": 900,
        "ROUTED": 900,
        "REVIEW_REQUIRED": 1,
    }
    assert made.rows("SELECT order_id FROM orders WHERE needs_review") == [("ORD-0005",)]
    routes = "SELECT outcome, count(*) FROM order_routes WHERE published_at IS NOT NULL GROUP BY 1"
    assert made.counts(routes) == {"ACCEPTED": 900}
    gaps = "SELECT order_id FROM order_events GROUP BY 1 HAVING max(sequence) <> count(*)"
    assert made.rows(gaps) == []
    totals = made.router.executions()["totals"]
    assert totals["executions"] == 900


def check_rejected(made):
    rejected = {
        message_id.removeprefix("b-"): (reason, bytes(content), error)
        for message_id, reason, content, error in made.rows(
            "SELECT message_id, reason, body, error FROM rejected_messages"
        )
    }
    assert rejected.pop("m-other")[0] == "CONFLICT"
    assert {name: reason for name, (reason, _, _) in rejected.items()} == {
        name: reason for name, (_, reason) in BROKEN.items()
    }
    assert all(content == BROKEN[name][0] and error for name, (_, content, error) in rejected.items())


def check_published(made):
    messages = made.published()
    assert sorted(properties.message_id for properties, _ in messages) == sorted(
        f"routed:ORD-{number:04}" for number in range(900)
    )
    properties, document = next(each for each in messages if each[1]["orderId"] == "ORD-0007")
    book = made.rows("SELECT route FROM orders WHERE order_id = 'ORD-0007'")
    assert (properties.correlation_id, properties.delivery_mode) == ("m-7", 2)
    assert (document["status"], document["messageId"], document["route"]) == ("ROUTED", "m-7", book[0][0])


def check_cache_and_api(made):
    cached = (
        "SELECT count(*) FROM store_records WHERE key LIKE 'orderStatus:%' AND bins->>'status' = 'ROUTED'"
    )
    assert made.rows(cached) == [(900,)]
    with web(made.env, made.folder) as url:
        answer = requests.get(f"{url}/order/ORD-0007", timeout=10)
        health = requests.get(f"{url}/health", timeout=10)
    order = answer.json()
    assert (order["status"], order["symbol"], order["quantity"]) == ("ROUTED", "AAPL", 100)
    assert '"price":145.50' in answer.text
    assert order["routed_at"].endswith("Z")
    assert health.json() == {
        "status": "UP",
        "components": {"mq": "UP", "sql": "UP", "aerospike": "UP", "service_registry": "UP"},
    }


def test_an_order_posted_to_the_api_is_routed_and_published_within_two_seconds(embedded):
    person = {
        f"DJANGO_SUPERUSER_{key}": value for key, value in (("USERNAME", "anna"), ("PASSWORD", "a long word"))
    }
    embedded.env |= {**person, "DJANGO_SUPERUSER_EMAIL": "anna@example.com"}
    embedded.manage("createsuperuser", "--noinput")
    embedded.start("consume_orders")
    embedded.publish(*orders(1))
    wait_until(lambda: embedded.statuses() == {"ROUTED": 1}, what="the worker works")
    new = {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}
    with web(embedded.env, embedded.folder) as url:
        assert (
            requests.post(f"{url}/order", json=new, auth=("anna", "a long word"), timeout=10).status_code
            == 201
        )
        status = wait_until(
            lambda: requests.get(f"{url}/order/TEST-001", timeout=10).json()["status"] == "ROUTED",
            what="it is routed",
        )
    assert status
    took = """SELECT extract(epoch FROM r.published_at - o.placed_at) FROM orders o JOIN order_routes r USING (order_id)
              WHERE o.order_id = 'TEST-001' AND r.published_at IS NOT NULL"""
    ((seconds,),) = wait_until(lambda: embedded.rows(took), what="it is published")
    assert seconds < 2.5  # the mark of the publication follows within the second


@pytest.mark.long
def test_a_worker_killed_at_work_loses_nothing_and_routes_nothing_twice(quorum):
    quorum.env |= {"ORDER_ENTRY__ROUTER__CLAIM": "5s", "ORDER_ENTRY__MQ__REPUBLISH_AFTER": "2s"}
    quorum.router.turn(latency_ms=200)
    worker = quorum.start("consume_orders")
    quorum.publish(*orders(400))
    wait_until(lambda: quorum.statuses().get("ROUTED", 0) > 50, what="some are routed")
    os.kill(worker.pid, signal.SIGKILL)
    quorum.router.turn(latency_ms=1)
    quorum.start("consume_orders", name="second")

    wait_until(lambda: quorum.statuses() == {"ROUTED": 400}, what="all are routed")
    unpublished = "SELECT count(*) FROM order_routes WHERE outcome = 'ACCEPTED' AND published_at IS NULL"
    wait_until(lambda: quorum.rows(unpublished) == [(0,)], what="all are published")
    accepted = "SELECT count(*) FROM order_routes WHERE outcome = 'ACCEPTED'"
    assert quorum.rows(accepted) == [(400,)]
    assert quorum.router.executions()["totals"]["executions"] == 400
    assert {properties.message_id for properties, _ in quorum.published()} == {
        f"routed:ORD-{number:04}" for number in range(400)
    }


def test_a_worker_told_to_stop_finishes_what_is_in_flight_and_leaves_the_rest_in_the_queue(quorum):
    quorum.router.turn(latency_ms=300)
    worker = quorum.start("consume_orders")
    quorum.publish(*orders(500))
    wait_until(lambda: quorum.statuses().get("ROUTED", 0) > 60, what="some are routed")
    os.kill(worker.pid, signal.SIGTERM)
    wait_until(worker.finished, what="the worker ends with exit code 0")

    statuses = quorum.statuses()
    assert quorum.rows("SELECT count(*) FROM orders WHERE claim IS NOT NULL") == [(0,)]
    assert quorum.depth(quorum.queue) == 500 - statuses["ROUTED"]
    assert len(quorum.published()) == statuses["ROUTED"]


def test_without_a_router_orders_wait_and_the_retry_command_routes_them(embedded):
    embedded.registry.stop()
    embedded.publish(*orders(20))
    assert embedded.drain()["pending"] == 20
    assert embedded.statuses() == {"PENDING_ROUTE": 20}

    known = {"order-router": embedded.router.url}
    embedded.stack.enter_context(simulated_registry(known, port=embedded.registry.port))
    wait_until(
        lambda: (
            json.loads(embedded.manage("retry_pending_routes", "--json"))
            and embedded.statuses() == {"ROUTED": 20}
        ),
        what="all are routed",
    )
    assert embedded.drain()["published"] == 20


@pytest.mark.long
def test_what_the_router_refuses_waits_for_a_person_and_is_acknowledged(quorum):
    quorum.router.turn(refusal_rate=1)
    quorum.publish(*orders(10))
    assert quorum.drain()["pending"] == 10
    assert quorum.rows("SELECT count(*) FROM orders WHERE needs_review AND review_reason LIKE '%422%'") == [
        (10,)
    ]
    assert quorum.depth(quorum.queue) == 0


@pytest.mark.long
def test_a_router_that_fails_at_times_is_asked_again_and_every_attempt_is_on_record(quorum):
    quorum.router.turn(failure_rate=0.4)
    quorum.publish(*orders(100))
    worker = quorum.start("consume_orders")
    wait_until(lambda: quorum.statuses() == {"ROUTED": 100}, what="all are routed")
    worker.stop(30)
    failed = quorum.counts("SELECT outcome, count(*) FROM order_routes GROUP BY 1")
    assert failed["ACCEPTED"] == 100
    assert failed["UNREACHABLE"] > 10
    miscounted = """SELECT o.order_id FROM orders o JOIN order_routes r USING (order_id)
                    GROUP BY o.order_id HAVING count(*) <> o.attempts OR max(r.attempt) <> count(*)"""
    assert quorum.rows(miscounted) == []


def test_a_line_dropped_after_the_request_is_asked_again_with_the_same_key_and_executes_once(quorum):
    quorum.router.turn(drop_rate=0.3)
    quorum.publish(*orders(60))
    worker = quorum.start("consume_orders")
    wait_until(
        lambda: sum(quorum.statuses().values()) == 60 and "PLACED" not in quorum.statuses(),
        what="all settled",
    )
    worker.stop(30)
    assert quorum.router.executions()["totals"]["executions"] == 60
    unknown = "SELECT count(*) FROM order_routes WHERE outcome = 'UNKNOWN' AND error <> ''"
    assert quorum.rows(unknown)[0][0] > 5


def test_without_a_routed_queue_named_nothing_is_published(database, rabbitmq, tmp_path):
    with system(database, tmp_path, broker=rabbitmq.url, MQ__PRODUCER_QUEUE="null") as made:
        made.publish(*orders(10))
        summary = made.drain()
        assert (summary["routed"], summary["published"]) == (10, 0)
        assert made.rows("SELECT count(*) FROM order_routes WHERE publish_after IS NOT NULL") == [(0,)]


@pytest.mark.long
def test_three_processes_share_a_queue_and_a_dead_one_is_replaced(quorum):
    quorum.env["ORDER_ENTRY__ROUTER__CLAIM"] = "5s"
    supervisor = quorum.start("consume_orders", "--processes", "3")
    quorum.publish(*orders(100))
    wait_until(lambda: quorum.statuses() == {"ROUTED": 100}, what="all are routed")
    first = wait_until(
        lambda: len(children(supervisor.pid)) == 3 and children(supervisor.pid), what="three workers"
    )
    os.kill(first[0], signal.SIGKILL)
    wait_until(
        lambda: len(children(supervisor.pid)) == 3 and first[0] not in children(supervisor.pid),
        what="a new worker",
    )
    quorum.publish(*orders(100, prefix="MORE"))
    wait_until(lambda: quorum.statuses() == {"ROUTED": 200}, what="all are routed")

    os.kill(supervisor.pid, signal.SIGTERM)
    wait_until(supervisor.finished, what="the supervisor ends with exit code 0")
    assert children(supervisor.pid) == []


def children(pid):
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []
    return [int(each) for each in listed]


def test_a_row_that_sql_refuses_is_quarantined_and_takes_no_neighbour_with_it(embedded):
    with embedded.database.connect() as connection:
        connection.execute("ALTER TABLE orders ADD CONSTRAINT no_lemons CHECK (symbol <> 'LEMON')")
    embedded.publish(*orders(50), ("m-lemon", body("ORD-LEMON", symbol="LEMON")), *orders(50, prefix="MORE"))
    summary = embedded.drain()

    assert (summary["routed"], summary["rejected"]) == (100, 1)
    ((reason, order_id, error),) = embedded.rows("SELECT reason, order_id, error FROM rejected_messages")
    assert (reason, order_id) == ("POISON", "ORD-LEMON")
    assert "no_lemons" in error
    assert embedded.statuses() == {"ROUTED": 100}


def test_the_same_poison_again_counts_an_attempt_more(embedded):
    for _ in range(3):
        embedded.publish(("m-1", b"not an order"))
        embedded.drain()
    assert embedded.rows("SELECT message_id, attempts FROM rejected_messages") == [("m-1", 3)]


def test_a_routed_queue_that_is_missing_does_not_stop_taking_and_is_caught_up_with_when_it_is_back(quorum):
    # Sooner than the second worker is up.
    quorum.env |= {"ORDER_ENTRY__MQ__DECLARE": "false", "ORDER_ENTRY__MQ__REPUBLISH_AFTER": "300ms"}
    with quorum.channel() as channel:
        channel.queue_delete(quorum.routed)
    quorum.publish(*orders(30))
    summary = quorum.drain()
    assert (summary["routed"], summary["published"]) == (30, 0)
    assert quorum.depth(quorum.queue) == 0

    with quorum.channel() as channel:
        channel.queue_declare(quorum.routed, durable=True, arguments={"x-queue-type": "quorum"})
    assert quorum.drain()["published"] == 30
    assert {properties.message_id for properties, _ in quorum.published()} == {
        f"routed:ORD-{number:04}" for number in range(30)
    }


def test_what_a_person_routes_is_published_by_the_worker(embedded):
    embedded.router.turn(refusal_rate=1)
    embedded.publish(*orders(1))
    embedded.drain()
    embedded.manage(
        "shell",
        "--no-imports",
        "-c",
        "from routing.manual import route_by_hand;"
        "route_by_hand('ORD-0000', route='LSE-DESK', reason='client called', actor='ann')",
    )
    assert embedded.drain()["published"] == 1
    ((text,),) = embedded.rows(
        "SELECT convert_from(body, 'UTF8') FROM queue_messages WHERE queue = %s", embedded.routed
    )
    assert json.loads(text)["route"] == "LSE-DESK"
    story = "SELECT event, actor, reason FROM order_events ORDER BY sequence"
    assert embedded.rows(story)[3:] == [
        ("REVIEW_CLEARED", "ann", "client called"),
        ("ROUTED", "ann", "client called"),
    ]
