"""The runbook's commands as processes: their exit codes, and what they print where."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.checkout import MANAGE
from tests.ports import free_port

ORDER = (
    "INSERT INTO orders (order_id, symbol, side, quantity, price, created_at, message_id, digest, status, placed_at)"
    " VALUES ('ORD-1', 'AAPL', 'BUY', 100, 145.5, now(), 'm-1', '', 'PLACED', now() - interval '1 hour')"
)


@pytest.fixture
def command(database):
    """`command(…)` → a finished process of `manage.py`."""

    def run(*arguments, **env):
        return subprocess.run(
            [*MANAGE, *arguments],
            env={**os.environ, **database.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def on_a_terminal(database, *arguments):
    """The exit code, and what the process showed on a terminal of 200 columns."""
    leader, follower = pty.openpty()
    env = {**os.environ, **database.env, "COLUMNS": "200", "TERM": "xterm"}
    with subprocess.Popen([*MANAGE, *arguments], env=env, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                some = os.read(leader, 65536)
            except OSError:  # The last process that held the terminal has ended.
                break
            shown += some
        code = process.wait(60)
    os.close(leader)
    return code, shown.decode()


@pytest.mark.long
def test_the_exit_code_says_whether_anything_was_found(command, database):
    assert command("stale_orders").returncode == 0
    assert command("repair_cache", "--dry-run").returncode == 0
    with database.connect() as connection:
        connection.execute(ORDER)

    stale = command("stale_orders", "--json")
    assert stale.returncode == 1
    assert [order["orderId"] for order in json.loads(stale.stdout)["orders"]] == ["ORD-1"]
    assert "Orders that wait longer than 10:00: 1." in stale.stderr

    differing = command("repair_cache", "--dry-run", "--json")
    assert (differing.returncode, json.loads(differing.stdout)["missing"]) == (1, 1)
    assert command("repair_cache").returncode == 0
    assert command("repair_cache", "--dry-run").returncode == 0
    assert command("order_status", "ORD-1").returncode == 0
    assert command("order_status", "ORD-2").returncode == 1


def test_a_book_that_cannot_be_reached_is_said_in_one_line(command):
    nowhere = {
        "ORDER_ENTRY__DATABASE__SQL_HOST": "127.0.0.1",
        "ORDER_ENTRY__DATABASE__SQL_PORT": str(free_port()),
    }
    for name in ("table_sizes", "stale_orders", "repair_cache"):
        done = command(name, **nowhere)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("CommandError: the order book cannot be asked: ")
        assert "Traceback" not in done.stderr


def test_tables_are_drawn_on_a_terminal_and_plain_in_a_pipe(command, database):
    with database.connect() as connection:
        connection.execute(ORDER)

    code, shown = on_a_terminal(database, "order_status", "ORD-1")
    assert code == 0
    assert "╭" in shown
    assert "ORD-1" in shown

    piped = command("order_status", "ORD-1").stdout
    assert ["status", "PLACED"] in [line.split() for line in piped.splitlines()]
    assert piped.isascii()


def test_a_terminal_that_is_red_means_that_cache_and_book_differ(command, database):
    with database.connect() as connection:
        connection.execute(ORDER)
        command("repair_cache")
        connection.execute("UPDATE orders SET price = 1")
    _, shown = on_a_terminal(database, "order_status", "ORD-1")
    assert "\x1b[1;31m" in shown
    assert "differs" in shown
