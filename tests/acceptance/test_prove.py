"""`manage.py prove`: workers killed after every step, on a real broker and on the embedded stack."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import redis

from consumers.pipeline import STEPS
from order_entry_project.embedded.postgres import USER
from order_entry_project.proof import ledger
from order_entry_project.proof.crash import Case, run_cases
from order_entry_project.proof.ground import Server, prepared_ground
from tests.acceptance.embedded_stack import environment
from tests.checkout import MANAGE, ROOT
from tests.integration.consumers.benches import configuring

PROOFS = "SELECT datname FROM pg_database WHERE datname LIKE 'order_entry_proof_%'"


def prove(env, *arguments):
    return subprocess.run(
        [*MANAGE, "prove", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def on_rabbitmq(database, rabbitmq):
    return {**os.environ, **database.env, "ORDER_ENTRY__MQ__BROKER_URL": rabbitmq.url}


def check_kept(done, steps):
    assert done.returncode == 0, done.stdout + done.stderr
    cases = json.loads(done.stdout)["cases"]
    assert [(case["step"], case["killed"]) for case in cases] == [
        (step, killed) for step in steps for killed in ("a single order", "a batch of 30")
    ]
    assert [finding for case in cases for finding in case["findings"]] == []


@pytest.mark.long
def test_all_promises_are_kept_whatever_step_a_worker_is_killed_at_on_rabbitmq(
    on_rabbitmq, database, rabbitmq
):
    check_kept(prove(on_rabbitmq, "--crash-at", "all", "--orders", "30", "--yes", "--json"), STEPS)
    with database.connect() as connection:
        assert connection.execute(PROOFS).fetchall() == []
        assert connection.execute("SELECT count(*) FROM orders").fetchall() == [(0,)]
    assert "PROVE" not in rabbitmq.ctl("list_queues", "name")


@pytest.mark.long
def test_all_promises_are_kept_whatever_step_a_worker_is_killed_at_on_the_embedded_stack():
    check_kept(prove(environment(), "--crash-at", "all", "--orders", "30", "--json"), STEPS)


@pytest.mark.long
def test_a_store_of_its_own_tells_no_lies_and_keeps_nothing_of_a_proof(on_rabbitmq, redis_server):
    url = f"redis://127.0.0.1:{redis_server.port}"
    env = {**on_rabbitmq, "ORDER_ENTRY__CACHE__STORE": "redis", "ORDER_ENTRY__REDIS__URL": url}
    check_kept(prove(env, "--crash-at", "remember", "--orders", "30", "--yes", "--json"), ["remember"])
    with redis.Redis.from_url(url) as store:
        assert [key for key in store.scan_iter() if b"PROVE" in key] == []


@pytest.mark.long
def test_a_proof_asks_before_it_touches_servers_that_are_not_this_checkouts(on_rabbitmq, database):
    done = prove(on_rabbitmq, "--crash-at", "settle")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert database.host in done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--crash-at", "teleport"], "invalid choice: 'teleport'"),
        (["--orders", "3"], "--orders: expected 10 or more, got 3"),
    ],
)
def test_misuse_is_refused_with_what_was_expected(on_rabbitmq, arguments, complaint):
    done = prove(on_rabbitmq, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


@pytest.mark.long
def test_a_worker_refuses_to_end_at_a_step_that_there_is_not(on_rabbitmq):
    done = subprocess.run(
        [*MANAGE, "consume_orders", "--crash-at", "teleport"],
        env=on_rabbitmq,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "invalid choice: 'teleport' (choose from 'take', 'decode'," in done.stderr


@pytest.mark.long
def test_where_nothing_is_published_the_steps_of_publishing_are_refused_and_left_out_of_all(on_rabbitmq):
    silent = {**on_rabbitmq, "ORDER_ENTRY__MQ__PRODUCER_QUEUE": "null"}
    done = prove(silent, "--crash-at", "confirm", "--yes")
    assert done.returncode == 2
    assert "nothing is published" in done.stderr


@pytest.mark.long
def test_a_broker_that_cannot_be_reached_is_said(on_rabbitmq):
    done = prove(
        {**on_rabbitmq, "ORDER_ENTRY__MQ__BROKER_URL": "amqp://127.0.0.1:1"}, "--yes", "--crash-at", "take"
    )
    assert done.returncode == 2
    assert "broker" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_a_broker_that_makes_no_queues_is_said(on_rabbitmq, strict_peer):
    over_amqp10 = on_rabbitmq | {"ORDER_ENTRY__MQ__BROKER_URL": strict_peer.url}
    done = prove(over_amqp10, "--yes", "--crash-at", "take")
    assert done.returncode == 2
    assert "AMQP 1.0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_workers_that_cannot_work_are_findings(on_rabbitmq):
    broken = {**on_rabbitmq, "ORDER_ENTRY__MQ__AVRO_SCHEMAS": "/nowhere"}
    done = prove(broken, "--crash-at", "take", "--yes", "--json")
    assert done.returncode == 1
    assert (
        "Killed at take over a single order: the worker that was to be killed at take ended by itself, with 1"
        in (done.stderr)
    )
    assert "P1 (no order is lost): messages left in the consumer queue: 50" in done.stderr
    assert json.loads(done.stdout)["findings"] == done.stderr.count("Killed at take over ")


def of(database):
    return Server({"host": database.host, "user": USER, "dbname": database.name})


@pytest.fixture
def ground(database, tmp_path):
    with prepared_ground(lambda _: None, of(database), tmp_path, database.env) as made:
        yield made


@pytest.mark.long
def test_all_promises_are_kept_whatever_step_a_worker_is_killed_at_over_amqp_1_0(
    database, rabbitmq, amqp10_package, tmp_path, monkeypatch
):
    """The proof makes its queues over the one protocol, the workers speak the other."""
    configuring(monkeypatch)(broker_url=rabbitmq.url)
    env = database.env | {"ORDER_ENTRY__MQ__BROKER_URL": rabbitmq.amqp10_url}
    cases = [
        Case(step, killed, messages)
        for step in STEPS
        for killed, messages in (
            ("a single order", ledger.single),
            ("a batch of 30", lambda prefix: ledger.mixed(30, prefix)),
        )
    ]
    with prepared_ground(lambda _: None, of(database), tmp_path, env) as ground:
        done = list(run_cases(ground, cases, at_once=4))
    assert len(done) == 2 * len(STEPS)
    assert [(case.step, case.killed, case.findings) for case in done if case.findings] == []


FORGETFUL = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER forget BEFORE INSERT ON order_events FOR EACH ROW WHEN (NEW.event = 'ROUTED') EXECUTE FUNCTION forget();
"""


def test_a_step_that_is_never_passed_and_a_book_that_forgets_are_found(ground):
    with ground.server.connect(ground.template) as template:
        template.execute(FORGETFUL)
    unreached = Case(
        "cache", "a broken message", lambda prefix: [ledger.Sent("m-1", prefix.encode(), broken=True)]
    )
    forgetful = Case("acknowledge", "a single order", ledger.single)

    done = list(run_cases(ground, [unreached, forgetful], at_once=2))

    assert sorted(done, key=lambda case: case.step) == [forgetful, unreached]
    assert unreached.findings == ["no worker was killed: it did all there was to do and never passed cache"]
    assert forgetful.findings
    assert all(
        finding.startswith("P6 (every change of state has one event)") for finding in forgetful.findings
    )
