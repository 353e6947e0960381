"""The design's failure table, row by row, on the embedded stack: what fails, and how each order ends."""

import os
import signal

import pytest

from tests.acceptance.system import system
from tests.builders import body
from tests.scripted_server import ScriptedServer, always
from tests.servers.postgres import fresh_database
from tests.simulated import simulated_registry
from tests.waiting import wait_until

QUICK = {"ROUTER__TIMEOUT": "1s", "ROUTER__CLAIM": "2s"}


@pytest.fixture(scope="module")
def shared(postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("failures")
    with fresh_database(postgresql) as database, system(database, folder) as made:
        yield made


@pytest.fixture
def embedded(shared):
    """An empty book and empty queues, a router that answers at once."""
    shared.database.empty()
    shared.router.turn(latency_ms=1, failure_rate=0, refusal_rate=0, hang_rate=0, garbage_rate=0, drop_rate=0)
    return shared


def publish(made, *order_ids, **changes):
    made.publish(*[(f"m-{order_id}", body(order_id, **changes)) for order_id in order_ids])


def numbered(prefix, count):
    return [f"{prefix}-{number}" for number in range(count)]


def await_statuses(made, **statuses):
    wait_until(lambda: made.statuses() == statuses, what=f"the orders are {statuses}")


def fates(made):
    """By order id: status, whether a person must look, whether it is due again, the outcomes of its attempts."""
    rows = made.rows("""
        SELECT order_id, status, needs_review, due_at IS NOT NULL,
               coalesce((SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM order_routes r
                         WHERE r.order_id = o.order_id), '')
        FROM orders o""")
    return {order_id: fate for order_id, *fate in rows}


# The store


def test_a_store_that_fails_changes_nothing_but_the_speed(embedded):
    with embedded.database.connect() as connection:
        connection.execute("ALTER TABLE store_records RENAME TO away")
        try:
            publish(embedded, *numbered("AWAY", 20), *numbered("AWAY", 20))
            summary = embedded.drain()
            assert (summary["routed"], summary["duplicates"]) == (20, 20)
        finally:
            connection.execute("ALTER TABLE away RENAME TO store_records")
    publish(embedded, "BACK")
    embedded.drain()
    assert embedded.rows("SELECT bins->>'status' FROM store_records WHERE key = 'orderStatus:BACK'") == [
        ("ROUTED",)
    ]


def test_after_a_restore_of_sql_a_raised_epoch_lets_orders_in_again(embedded):
    publish(embedded, "RESTORED")
    assert embedded.drain()["routed"] == 1
    with embedded.database.connect() as connection:
        # The backup was older than the order; the store remembers it.
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM order_routes; DELETE FROM order_events; DELETE FROM orders")
    with embedded.configured(IDEMPOTENCY__EPOCH="2") as made:
        publish(made, "RESTORED")
        assert made.drain()["routed"] == 1


# The registry


def test_a_registry_that_goes_away_leaves_the_last_known_router_in_use(shared, embedded, tmp_path):
    with (
        simulated_registry({"order-router": shared.router.url}) as registry,
        embedded.configured(
            SERVICE_REGISTRY__ENDPOINT=registry.url, SERVICE_REGISTRY__LOOKUP_INTERVAL="1s"
        ) as made,
    ):
        worker = made.start("consume_orders", name="registry-away")
        publish(made, "BEFORE")
        await_statuses(made, ROUTED=1)
        registry.stop()
        wait_until(lambda: "stays in use" in worker.log.read_text(), what="the registry is missed")
        publish(made, *numbered("AFTER", 10))
        await_statuses(made, ROUTED=11)


# The router

ANSWERS = {
    "TOO-MANY": ("429 Too Many Requests", b"", "Retry-After: 120\r\n"),
    "UNAVAILABLE": ("503 Service Unavailable", b"", ""),
    "FORBIDDEN": ("403 Forbidden", b"not you", ""),
    "MOVED": ("302 Found", b"", "Location: http://127.0.0.1:1/\r\n"),
    "NONSENSE": ("200 OK", b'{"venue": 1}', ""),
    "BROKEN": ("500 Internal Server Error", b"", ""),
    "DROPPED": None,
}
UNREACHABLE = "UNREACHABLE " * 3 + "UNREACHABLE"
UNKNOWN = "UNKNOWN " * 3 + "UNKNOWN"
FATES = {  # requests, then status, review, due, outcomes
    "TOO-MANY": (1, ["PENDING_ROUTE", False, True, "UNREACHABLE"]),
    "UNAVAILABLE": (4, ["PENDING_ROUTE", False, True, UNREACHABLE]),
    "FORBIDDEN": (1, ["PENDING_ROUTE", True, False, "REFUSED"]),
    "MOVED": (1, ["PENDING_ROUTE", True, False, "REFUSED"]),
    "NONSENSE": (1, ["PENDING_ROUTE", True, False, "REFUSED"]),
    "BROKEN": (4, ["PENDING_ROUTE", True, False, UNKNOWN]),
    "DROPPED": (4, ["PENDING_ROUTE", True, False, UNKNOWN]),
}
# A router that does not know the key is never asked again where it may have received the order.
FATES_WITHOUT_KEY = FATES | {
    "BROKEN": (1, ["PENDING_ROUTE", True, False, "UNKNOWN"]),
    "DROPPED": (1, ["PENDING_ROUTE", True, False, "UNKNOWN"]),
}


def by_order(line):
    """Answers each order as its id says."""
    while True:
        request = line.read()
        (name,) = [name for name in ANSWERS if f'"{name}"'.encode() in request.body]
        if ANSWERS[name] is None:
            return
        status, content, headers = ANSWERS[name]
        line.answer(content, status=status, headers=headers)


@pytest.fixture
def scripted(embedded):
    """`scripted(script, …)` → the system with a router of raw sockets, and that router."""
    opened = []

    def start(script, **settings):
        router = ScriptedServer((script,))
        registry = ScriptedServer(
            (always(b'{"name": "order-router", "endpoint": "%s"}' % router.url.encode()),)
        )
        configured = embedded.configured(SERVICE_REGISTRY__ENDPOINT=registry.url, **settings)
        opened.extend([configured, router, registry])
        return configured.__enter__(), router

    yield start
    for index in range(0, len(opened), 3):
        opened[index].__exit__(None, None, None)
        opened[index + 1].close()
        opened[index + 2].close()


@pytest.mark.parametrize(("honours", "expected"), [("true", FATES), ("false", FATES_WITHOUT_KEY)])
def test_each_answer_of_the_router_has_its_consequence(scripted, honours, expected):
    made, router = scripted(
        by_order,
        ROUTER__HONOURS_IDEMPOTENCY_KEY=honours,
        ROUTER__BREAKER="100",
        ROUTER__BACKOFF="10ms",
        ROUTER__MAX_BACKOFF="300s",
    )
    publish(made, *ANSWERS)
    assert made.drain()["pending"] == len(ANSWERS)

    asked = {
        name: sum(f'"{name}"'.encode() in request.body for request in router.requests) for name in ANSWERS
    }
    assert {name: (asked[name], fate) for name, fate in fates(made).items()} == expected
    assert {request.headers["idempotency-key"] for request in router.requests} == set(ANSWERS)
    assert len({request.body for request in router.requests}) == len(ANSWERS)
    ((wait,),) = made.rows(
        "SELECT extract(epoch FROM due_at - updated_at) FROM orders WHERE order_id = 'TOO-MANY'"
    )
    assert 119 < wait < 121


def test_a_router_that_keeps_failing_is_left_alone_then_probed_then_used_again(embedded):
    embedded.router.turn(failure_rate=1)
    with embedded.configured(ROUTER__BREAKER="3", ROUTER__MAX_RETRIES="0", ROUTER__IN_FLIGHT="1") as made:
        made.start("consume_orders", name="breaker")
        publish(made, *numbered("BREAKER", 20))
        await_statuses(made, PENDING_ROUTE=20)
        attempts = (
            "SELECT extract(epoch FROM decided_at) FROM order_routes WHERE outcome = 'UNREACHABLE' ORDER BY 1"
        )
        wait_until(lambda: len(made.rows(attempts)) >= 5, what="it is probed twice")
        # Three in a row open it; the other seventeen orders are parked without a call. Then one probe a rest.
        _, _, opened, first, second = (float(at) for (at,) in made.rows(attempts)[:5])
        assert first - opened > 0.45
        assert second - first > 0.95
        made.router.turn(failure_rate=0)
        # What has piled up does not wait for a sweep a second each.
        routed = lambda: made.statuses() == {"ROUTED": 20}  # noqa: E731
        wait_until(routed, what="all are routed", patience=15)


@pytest.mark.parametrize(
    ("honours", "requests"), [pytest.param("true", 2, marks=pytest.mark.long), ("false", 1)]
)
def test_after_a_kill_an_order_whose_call_was_out_is_called_again_or_goes_before_a_person(
    embedded, honours, requests
):
    order_id = f"KILLED-{honours}"
    with embedded.configured(ROUTER__HONOURS_IDEMPOTENCY_KEY=honours, **QUICK) as made:
        made.router.turn(latency_ms=900)
        worker = made.start("consume_orders", name=f"killed-{honours}")
        publish(made, order_id)
        asked = lambda: made.router.executions()["orders"].get(order_id, {}).get("requests")  # noqa: E731
        wait_until(asked, what="the call is out")
        os.kill(worker.pid, signal.SIGKILL)
        made.start("consume_orders", name=f"after-kill-{honours}")
        settled = "SELECT count(*) FROM orders WHERE status = 'ROUTED' OR needs_review"
        wait_until(lambda: made.rows(settled) == [(1,)], what="the order is settled")

        assert asked() == requests
        assert made.router.executions()["orders"][order_id]["executions"] == 1
        assert fates(made)[order_id] == (
            ["ROUTED", False, False, "UNKNOWN ACCEPTED"]
            if honours == "true"
            else ["PENDING_ROUTE", True, False, "UNKNOWN"]
        )


# Signals


@pytest.mark.parametrize(("drain_timeout", "signals"), [("1s", 1), ("60s", 2)])
def test_a_stop_waits_for_hanging_calls_no_longer_than_told_and_harms_no_order(
    embedded, drain_timeout, signals
):
    embedded.router.turn(hang_rate=1)
    order_ids = numbered(f"HANGING-{signals}", 5)
    with embedded.configured(
        SERVICE__DRAIN_TIMEOUT=drain_timeout, ROUTER__TIMEOUT="30s", ROUTER__CLAIM="60s"
    ) as made:
        worker = made.start("consume_orders", name=f"hanging-{signals}")
        publish(made, *order_ids)
        asked = lambda: set(order_ids) <= set(made.router.executions()["orders"])  # noqa: E731
        wait_until(asked, what="all calls are out")
        for _ in range(signals):
            os.kill(worker.pid, signal.SIGTERM)
            wait_until(lambda: "stopping" in worker.log.read_text(), what="it is stopping")
        wait_until(worker.finished, what="the worker ends with exit code 0", patience=10)

    assert embedded.statuses() == {"PLACED": 5}
    embedded.router.turn(hang_rate=0)
    with embedded.database.connect() as connection:
        connection.execute("UPDATE orders SET claimed_until = now()")
    assert embedded.drain()["routed"] == 5
    orders = embedded.router.executions()["orders"]
    assert [orders[order_id]["executions"] for order_id in order_ids] == [1] * 5
