"""`manage.py preflight` as a process, before a start that goes well and before one that would not."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time

import pytest

from tests.checkout import MANAGE
from tests.ports import free_port
from tests.servers.roles import two_roles
from tests.simulated import simulated_registry, simulated_router

DEPLOYED = {
    "API__SECRET_KEY": "0123456789" * 6,
    "API__HTTPS_ONLY": "true",
    "API__TRUSTED_PROXIES": '["127.0.0.1/32"]',
}


@pytest.fixture(scope="module")
def neighbours():
    with simulated_router() as router, simulated_registry({"order-router": router.url}) as registry:
        yield registry.url


@pytest.fixture
def environment(database, neighbours):
    """What a process needs to find its neighbours, with other keys as given."""

    def made(**keys):
        named = {**DEPLOYED, "SERVICE_REGISTRY__ENDPOINT": neighbours, **keys}
        return {
            **os.environ,
            **database.env,
            "ORDER_ENTRY_CONFIG": "",
            **{f"ORDER_ENTRY__{name}": value for name, value in named.items()},
        }

    return made


def preflight(env, *arguments):
    return subprocess.run(
        [*MANAGE, "preflight", *arguments], env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_deployment_that_has_all_it_needs_is_let_through_even_strictly(environment, database):
    with two_roles(database) as roles:
        done = preflight(environment(DATABASE__SQL_USER=roles.runtime), "--json", "--strict")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"], done.stderr) == (0, "ok", ""), done.stdout
    checks = {finding["check"] for finding in answer["findings"]}
    assert checks >= {"configuration", "database", "queue", "store postgresql", "registry, router", "logs"}
    assert all(finding["found"] for finding in answer["findings"])


def test_everything_that_is_wrong_is_said_at_once_with_what_to_do(environment):
    began = time.monotonic()
    done = preflight(
        environment(
            DATABASE__SQL_USER="nosuch",
            MQ__BROKER_URL=f"amqp://svc:hunter2@127.0.0.1:{free_port()}",
            CACHE__STORE="redis",
            REDIS__URL=f"redis://:hunter2@127.0.0.1:{free_port()}",
            SERVICE_REGISTRY__ENDPOINT=f"127.0.0.1:{free_port()}",
            LOGS__FOLDER="/proc",
            API__HTTPS_ONLY="false",
        ),
        "--json",
    )
    assert time.monotonic() - began < 20
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["status"]) == (1, "failed")
    wrong = {finding["key"]: finding for finding in answer["findings"] if finding["level"] != "ok"}
    assert {key: finding["level"] for key, finding in wrong.items()} == {
        "api.https_only": "warning",
        "database.sql_user": "failed",
        "mq.broker_url": "failed",
        "redis.url": "failed",
        "service_registry.endpoint": "failed",
        "logs.folder": "failed",
    }
    assert all(finding["expected"] and finding["advice"] for finding in wrong.values())
    assert "hunter2" not in done.stdout + done.stderr
    assert "5 failed" in done.stderr


@pytest.mark.long
def test_warnings_alone_are_let_through_unless_strictly(environment):
    env = environment(API__HTTPS_ONLY="false")
    assert preflight(env).returncode == 0
    done = preflight(env, "--strict")
    assert done.returncode == 1
    assert "to do: Set it to true behind a proxy that speaks TLS." in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_configuration_that_cannot_be_used_is_a_finding_as_any_other(environment, arguments):
    done = preflight(environment(MQ__BATCH_SIZE="many"), *arguments)
    assert done.returncode == 1
    assert "mq.batch_size" in done.stdout
    assert "Traceback" not in done.stderr
    if arguments:
        (finding,) = json.loads(done.stdout)["findings"]
        assert (finding["level"], finding["key"]) == ("failed", "ORDER_ENTRY_CONFIG")


@pytest.mark.long
def test_on_a_terminal_it_is_a_table_in_colours(environment):
    leader, follower = pty.openpty()
    env = environment(API__HTTPS_ONLY="false") | {"COLUMNS": "160", "TERM": "xterm"}
    with subprocess.Popen([*MANAGE, "preflight"], env=env, stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b""
        while some := _read(leader):
            shown += some
        assert process.wait(60) == 0
    os.close(leader)
    text = shown.decode()
    assert "╭" in text
    assert "\x1b[32mok" in text
    assert "\x1b[33mwarning" in text


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # The process has ended.
        return b""
