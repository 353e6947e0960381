"""`manage.py retry_pending_routes` as cron and an operator run it."""

import json
import os
import pty
import re
import signal
import subprocess

import pytest

from tests.acceptance.system import system
from tests.checkout import MANAGE
from tests.ports import free_port
from tests.servers.postgres import fresh_database
from tests.simulated import simulated_registry
from tests.waiting import wait_until

SETTLED = "SELECT count(*) FROM orders WHERE order_id = ANY(%s) AND status = 'ROUTED'"


@pytest.fixture(scope="module")
def running(postgresql, tmp_path_factory):
    folder = tmp_path_factory.mktemp("retry")
    with (
        fresh_database(postgresql) as database,
        system(database, folder, ROUTER__RETRY_INTERVAL="200ms") as made,
    ):
        yield made


@pytest.fixture
def book(running):
    """An empty one, and a router that answers at once."""
    running.router.turn(latency_ms=1, refusal_rate=0)
    running.database.empty()
    return running


def enter(made, *order_ids):
    """Orders that nobody holds. The router remembers an id: each test has its own."""
    with made.database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            """WITH o AS (
                   INSERT INTO orders
                       (order_id, symbol, side, quantity, price, created_at, message_id, digest, status)
                   VALUES (%s, 'AAPL', 'BUY', 100, 145.5, now(), 'm', '', 'PLACED') RETURNING order_id)
               INSERT INTO order_events (order_id, sequence, event, actor)
               SELECT order_id, 1, 'PLACED', 'test' FROM o""",
            [[order_id] for order_id in order_ids],
        )


def retry(made, *arguments, **env):
    """Exit code, stdout and stderr of a run."""
    done = subprocess.run(
        [*MANAGE, "retry_pending_routes", *arguments],
        env={**made.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def snapshot(made):
    return made.rows("SELECT xmin::text, o.* FROM orders o ORDER BY order_id")


def test_a_run_routes_what_is_due_and_says_what_became_of_it(book):
    enter(book, "RUN-1", "RUN-2")
    code, said, _ = retry(book, "--json")
    assert (code, json.loads(said)) == (0, {"taken": 2, "routed": 2, "parked": 0, "lost": 0, "released": 0})
    code, said, _ = retry(book)
    assert (code, said) == (0, "0 taken: 0 routed, 0 parked again, 0 settled by others, 0 given up\n")


def test_a_dry_run_says_what_would_be_taken_and_writes_nothing(book):
    enter(book, "FREE", "RAN-OUT", "HELD", "DUE", "LATER", "REVIEW")
    with book.database.connect() as connection:
        connection.execute("""
            UPDATE orders SET claim = gen_random_uuid(), claimed_until = now() + interval '1 hour'
                WHERE order_id = 'HELD';
            UPDATE orders SET claim = gen_random_uuid(), claimed_until = now() WHERE order_id = 'RAN-OUT';
            UPDATE orders SET status = 'PENDING_ROUTE', due_at = '2026-02-14 10:30+00' WHERE order_id = 'DUE';
            UPDATE orders SET status = 'PENDING_ROUTE', due_at = now() + interval '1 hour'
                WHERE order_id = 'LATER';
            UPDATE orders SET status = 'PENDING_ROUTE', needs_review = true, review_reason = 'look'
                WHERE order_id = 'REVIEW'""")
    before = snapshot(book)
    code, said, _ = retry(book, "--dry-run", "--json")
    answer = json.loads(said)
    assert (code, answer["would_take"]) == (0, 3)
    assert answer["oldest"][0] == {
        "orderId": "DUE",
        "status": "PENDING_ROUTE",
        "since": "2026-02-14T10:30:00Z",
        "attempts": 0,
        "claim_ran_out": False,
    }
    assert {one["orderId"]: one["claim_ran_out"] for one in answer["oldest"][1:]} == {
        "FREE": False,
        "RAN-OUT": True,
    }
    code, said, _ = retry(book, "--dry-run")
    assert (code, said.splitlines()[-1]) == (0, "3 would be taken.")
    assert snapshot(book) == before
    assert book.rows("SELECT count(*) FROM order_routes") == [(0,)]


def test_without_the_book_it_exits_1_and_says_so(book, tmp_path):
    for way in ((), ("--dry-run",)):
        code, said, complaint = retry(book, *way, ORDER_ENTRY__DATABASE__SQL_HOST=str(tmp_path))
        assert (code, said) == (1, "")
        assert "the order book cannot be reached" in complaint


def test_without_a_registry_it_exits_1_and_takes_nothing(book):
    enter(book, "LONELY")
    before = snapshot(book)
    code, said, complaint = retry(book, ORDER_ENTRY__SERVICE_REGISTRY__ENDPOINT=f"127.0.0.1:{free_port()}")
    assert (code, said) == (1, "")
    assert "the service registry has not named a router" in complaint
    assert snapshot(book) == before


def test_told_to_stop_it_finishes_what_is_in_flight_and_gives_up_no_call(book):
    book.router.turn(latency_ms=1000)
    book.env["ORDER_ENTRY__ROUTER__IN_FLIGHT"] = "3"
    asked = book.router.executions()["totals"]["requests"]
    enter(book, *(f"STOPPED-{number}" for number in range(10)))
    run = book.start("retry_pending_routes", "--json", name="told-to-stop")
    wait_until(
        lambda: book.router.executions()["totals"]["requests"] == asked + 3, what="three calls are out"
    )
    os.kill(run.pid, signal.SIGTERM)
    wait_until(run.finished, what="it ends with exit code 0")
    del book.env["ORDER_ENTRY__ROUTER__IN_FLIGHT"]

    assert json.loads(run.log.read_text().splitlines()[-1])["routed"] == 3
    assert book.statuses() == {"ROUTED": 3, "PLACED": 7}
    assert book.rows("SELECT count(*) FROM orders WHERE claim IS NOT NULL") == [(0,)]


@pytest.mark.long
def test_the_daemon_goes_on_after_a_failing_run_and_ends_well_when_told_to(book):
    port = free_port()
    book.env["ORDER_ENTRY__SERVICE_REGISTRY__ENDPOINT"] = f"127.0.0.1:{port}"
    daemon = book.start("retry_pending_routes", "--daemon", "--json", name="daemon")
    wait_until(lambda: "nothing is retried now" in daemon.log.read_text(), what="a run fails")
    with simulated_registry({"order-router": book.router.url}, port=port):
        for order_id in ("FIRST", "SECOND"):
            enter(book, order_id)
            wait_until(lambda: book.rows(SETTLED, [order_id]) == [(1,)], what="it is routed")  # noqa: B023
        os.kill(daemon.pid, signal.SIGTERM)
        wait_until(daemon.finished, what="the daemon ends with exit code 0")
    book.env["ORDER_ENTRY__SERVICE_REGISTRY__ENDPOINT"] = book.registry.url
    summaries = [
        json.loads(line) for line in daemon.log.read_text().splitlines() if line.startswith('{"taken"')
    ]
    assert sum(summary["routed"] for summary in summaries) == 2


@pytest.mark.long
def test_on_a_terminal_it_shows_how_far_it_is(book):
    enter(book, *(f"SHOWN-{number}" for number in range(50)))
    leader, follower = pty.openpty()
    run = subprocess.Popen(
        [*MANAGE, "retry_pending_routes"],
        env={**book.env, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    )
    os.close(follower)
    shown = b""
    try:
        while data := os.read(leader, 4096):
            shown += data
    except OSError:  # the terminal's other end is closed
        pass
    assert "50 taken: 50 routed" in run.communicate(timeout=30)[0]
    assert re.search(rb"Routing .*/50", shown)
    assert run.returncode == 0
