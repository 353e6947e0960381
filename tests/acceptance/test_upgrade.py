"""An upgrade without a pause: the earlier release's processes go on while the schema changes, and beside today's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from order_entry_project.config import BASE_DIR
from order_entry_project.embedded.processes import Child
from tests.acceptance.system import System, system
from tests.builders import body
from tests.servers.postgres import USER, Database
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

# The release to upgrade from; raised with each release.
EARLIER = "39521d712097ab26adde0b3350992ee5193bc5d5"
_WAVE = 200


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    """A checkout of the earlier release."""
    shallow = git(BASE_DIR, "rev-parse", "--is-shallow-repository")
    if shallow != "false":
        pytest.skip("a checkout without its history has no earlier release")
    clone = tmp_path_factory.mktemp("earlier") / "checkout"
    git(BASE_DIR, "clone", "--quiet", "--no-checkout", ".", str(clone))
    git(clone, "checkout", "--quiet", EARLIER)
    return clone


@pytest.fixture
def at_earlier_schema(postgresql, earlier):
    """A database as the earlier release leaves it."""
    made = Database(name=f"upgraded_{earlier.parent.name}", host=postgresql)
    with psycopg.connect(host=postgresql, user=USER, dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {made.name} TEMPLATE template0".encode())
        yield made
        server.execute(f"DROP DATABASE {made.name} WITH (FORCE)".encode())


def command(made: System, checkout: Path, *arguments: str) -> str:
    argv = [sys.executable, checkout / "manage.py", *arguments]
    done = subprocess.run(
        argv, env=made.env, cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{checkout} {arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def worker(made: System, checkout: Path, name: str) -> Child:
    argv = [sys.executable, checkout / "manage.py", "consume_orders"]
    return made.stack.enter_context(
        Child.running(argv, name=name, log=made.folder / f"{name}.log", folder=checkout, env=made.env)
    )


def wave(made: System, number: int) -> None:
    """Orders, every tenth of them twice."""
    names = [f"ORD-{number}-{one}" for one in range(_WAVE)]
    made.publish(*[(f"m-{name}", body(name)) for name in names + names[::10]])


def all_routed(made: System, waves: int) -> None:
    wait_until(
        lambda: made.statuses() == {"ROUTED": waves * _WAVE},
        what=f"all orders of {waves} waves are routed, {made.statuses()}",
    )


def test_orders_go_on_through_an_upgrade_and_none_is_lost_or_doubled(
    at_earlier_schema, earlier, rabbitmq, tmp_path
):
    with system(at_earlier_schema, tmp_path, broker=rabbitmq.url) as made:
        command(made, earlier, "migrate", "--verbosity=0")
        old = [worker(made, earlier, f"old-{one}") for one in (1, 2)]
        wave(made, 1)
        all_routed(made, 1)

        # The schema changes while orders come.
        during = Thread(target=wave, args=(made, 2))
        during.start()
        command(made, BASE_DIR, "migrate", "--verbosity=0")
        during.join()
        all_routed(made, 2)

        # The earlier workers on today's schema, then beside today's workers.
        wave(made, 3)
        all_routed(made, 3)
        new = worker(made, BASE_DIR, "new")
        wave(made, 4)
        all_routed(made, 4)

        # The roll-out ends while orders come.
        during = Thread(target=wave, args=(made, 5))
        during.start()
        for each in old:
            each.stop(patience=30)
        during.join()
        all_routed(made, 5)

        new.check()
        assert all("Traceback" not in each.log.read_text() for each in [*old, new])
        orders = 5 * _WAVE
        assert made.rows("SELECT count(*) FROM rejected_messages") == [(0,)]
        assert made.rows("SELECT outcome, count(*) FROM order_routes GROUP BY 1") == [("ACCEPTED", orders)]
        wait_until(
            lambda: made.rows("SELECT count(*) FROM order_routes WHERE published_at IS NULL") == [(0,)],
            what="all are published",
        )
        assert len({routed["orderId"] for _, routed in made.published()}) == orders
        command(made, BASE_DIR, "verify_audit")


def test_the_earlier_release_s_other_commands_work_on_today_s_schema(database, earlier, tmp_path):
    with system(database, tmp_path) as made:
        made.router.turn(refusal_rate=1)
        made.publish(("m-1", body("ORD-1")))
        summary = json.loads(command(made, earlier, "consume_orders", "--once", "--json").splitlines()[-1])
        assert summary["pending"] == 1
        made.router.turn(refusal_rate=0)
        command(made, earlier, "reprocess", "ORD-1", "--reason", "limits raised")
        command(made, earlier, "retry_pending_routes")
        assert made.statuses() == {"ROUTED": 1}
        assert "ROUTED" in command(made, earlier, "order_status", "ORD-1")
        command(made, earlier, "verify_audit")
        command(made, BASE_DIR, "verify_audit")
