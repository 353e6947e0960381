"""`make run`, as far as it goes without make."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import psycopg
import pytest
import requests
import yaml

from order_entry_project.embedded.postgres import EmbeddedPostgres
from tests.acceptance.embedded_stack import Running, manage, running
from tests.ports import free_port
from tests.processes import await_no_process_of, commands_of
from tests.waiting import wait_until


def login(run: Running) -> tuple[str, str, str]:
    """The address of the console, and a user and password for it, as shown."""
    shown = re.search(r"(http://\S+)\s+user (\S+), password (\S+)", run.line_with("Console"))
    assert shown
    return shown[1], shown[2], shown[3]


def orders(folder: Path) -> int:
    database = yaml.safe_load((folder / "order-entry.yaml").read_text())["database"]
    with psycopg.connect(
        host=database["sql_host"], user=database["sql_user"], dbname=database["sql_database"]
    ) as book:
        return book.execute("SELECT count(*) FROM orders WHERE status = 'ROUTED'").fetchone()[0]


@pytest.mark.long
def test_the_stack_routes_a_trickle_of_orders_and_lets_its_admin_in_until_ctrl_c(tmp_path: Path):
    port = free_port()
    with running(tmp_path, "--port", str(port), "--rate", "50") as run:
        address, user, password = login(run)
        assert address == f"http://127.0.0.1:{port}/admin/"
        assert (tmp_path / "order-entry.yaml").stat().st_mode & 0o077 == 0
        assert (tmp_path / "admin-password").stat().st_mode & 0o077 == 0

        with requests.Session() as browser:
            browser.get(f"{address}login/", timeout=10)
            form = {"username": user, "password": password, "next": "/admin/"}
            token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
            answer = browser.post(f"{address}login/", data=form | token, timeout=10)
            assert "Log out" in answer.text
        assert requests.get(f"http://127.0.0.1:{port}/health", timeout=10).json()["status"] == "UP"
        wait_until(lambda: orders(tmp_path) > 10, what="more than ten orders are routed")

        second = manage("demo", "--data", str(tmp_path))
        assert second.returncode == 1
        assert f"in use by another run (process {run.process.pid})" in second.stderr

        assert run.end(signal.SIGINT) == 0
        assert commands_of(str(tmp_path)) == []
        assert not (tmp_path / "order-entry.yaml").exists()

    # What it had is there again, the login too.
    with running(tmp_path, "--port", str(port), "--rate", "1") as run:
        assert login(run) == (address, user, password)
        assert orders(tmp_path) > 10
        assert run.end(signal.SIGTERM) == 0


@pytest.mark.long
def test_a_killed_run_takes_everything_along_and_starts_again_on_the_next_free_port(tmp_path: Path):
    with running(tmp_path, "--port", str(free_port())) as run:
        run.line_with("Console")
        run.end(signal.SIGKILL)
    await_no_process_of(str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(tmp_path, "--port", str(port)) as run:
            other = int(run.line_with(f"Port {port} is taken").rstrip(".\n").split()[-1])
            assert other > port
            assert login(run)[0] == f"http://127.0.0.1:{other}/admin/"
            assert run.end(signal.SIGINT) == 0


@pytest.mark.long
def test_a_part_that_ends_ends_the_run_and_is_named(tmp_path: Path):
    with running(tmp_path, "--port", str(free_port())) as run:
        run.line_with("Console")
        (router,) = (pid for pid, command in commands_of(str(tmp_path)) if "simulate_router" in command)
        os.kill(router, signal.SIGKILL)
        run.line_with("simulate_router ended with status -9")
        assert run.process.wait(60) == 1
    assert commands_of(str(tmp_path)) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "moment", ["Starting PostgreSQL", "Starting the simulated", "Preparing the database"]
)
def test_an_interrupted_start_leaves_nothing_running_nor_half_written(tmp_path: Path, moment: str):
    with running(tmp_path, "--port", str(free_port())) as run:
        run.line_with(moment)
        assert run.end(signal.SIGINT) == 0
    assert commands_of(str(tmp_path)) == []
    assert not (tmp_path / "order-entry.yaml").exists()
    with EmbeddedPostgres(tmp_path / "postgresql") as server:
        server.connect().close()
