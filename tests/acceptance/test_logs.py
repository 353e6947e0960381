"""The log files of running processes: each line whole, none missing, and joined by the ids of orders and messages."""

from __future__ import annotations

import gzip
import json
import os
import re
import select
import signal
import subprocess
import threading
from collections import Counter
from contextlib import contextmanager, suppress

import pytest

from order_entry_project.config import BASE_DIR
from tests.acceptance.system import system
from tests.builders import body
from tests.checkout import MANAGE
from tests.servers.asking import needed
from tests.waiting import wait_until

ORDERS = 3_000
CANARIES = {
    "API__SECRET_KEY": "canary-of-the-key",
    "DATABASE__SQL_PASSWORD": "canary-of-the-book",
    "MQ__PASSWORD": "canary-of-the-broker",
    "REDIS__URL": "redis://user:canary-of-the-store@127.0.0.1:6379",
}


@pytest.fixture
def logging_system(database, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    with system(database, tmp_path, LOGS__FOLDER=str(folder), **CANARIES) as made:
        made.logs = folder
        yield made


@contextmanager
def rotated_all_the_time(logs):
    """logrotate, as `deploy/` configures it, again and again."""
    rules = logs.parent / "logrotate.conf"
    text = (BASE_DIR / "deploy/order-entry.logrotate").read_text()
    rules.write_text(text.replace("/var/log/order-entry", str(logs)).replace("rotate 30", "rotate 1000"))
    rules.chmod(0o644)
    logrotate = needed("logrotate", package="logrotate")
    over = threading.Event()

    def rotate():
        while not over.wait(0.1):
            subprocess.run(
                [logrotate, "--force", "--state", str(logs.parent / "state"), str(rules)], check=True
            )

    rotating = threading.Thread(target=rotate)
    rotating.start()
    try:
        yield
    finally:
        over.set()
        rotating.join()


def texts(logs, name):
    """What is in the file and in those it was before."""
    files = sorted(logs.glob(f"{name}.log*"))
    return [gzip.open(file, "rt").read() if file.suffix == ".gz" else file.read_text() for file in files]


def lines(logs, name):
    found = texts(logs, name)
    assert all(text.endswith("\n") for text in found if text)
    return [json.loads(line) for text in found for line in text.splitlines()]


@pytest.mark.long
def test_two_processes_log_each_order_and_its_call_while_logrotate_moves_the_files(logging_system):
    logs = logging_system.logs
    with rotated_all_the_time(logs):
        supervisor = logging_system.start("consume_orders", "--processes", "2")
        logging_system.publish(
            *((f"m-{number:04}", body(f"ORD-{number:04}")) for number in range(ORDERS)),
            ("m-bad", b"no order"),
        )
        wait_until(lambda: logging_system.statuses() == {"ROUTED": ORDERS}, what="all are routed")
        os.kill(supervisor.pid, signal.SIGTERM)
        wait_until(supervisor.finished, what="the workers end well")

    outcomes, calls = lines(logs, "order_entry"), lines(logs, "router_calls")
    sent = {(f"ORD-{number:04}", f"m-{number:04}") for number in range(ORDERS)}
    assert Counter((line["orderId"], line["messageId"]) for line in calls) == dict.fromkeys(sent, 1)
    assert Counter(
        (line["orderId"], line["messageId"]) for line in outcomes if line["message"] == "routed"
    ) == dict.fromkeys(sent, 1)
    (bad,) = [line for line in outcomes if line["message"] == "rejected"]
    assert (bad["level"], bad["messageId"], bad["reason"]) == ("WARNING", "m-bad", "UNREADABLE")
    assert len({line["pid"] for line in outcomes}) == len({line["pid"] for line in calls}) == 2
    route = {line["orderId"]: line["route"] for line in calls}
    assert all(route[line["orderId"]] == line["route"] for line in outcomes if line is not bad)
    assert all(json.loads(line["request"])["orderId"] == line["orderId"] for line in calls)
    # Both were moved at work, not before or after it.
    assert min(len(texts(logs, "order_entry")), len(texts(logs, "router_calls"))) > 3

    said = "".join(
        text for file in ("order_entry", "router_calls", "sql_errors") for text in texts(logs, file)
    )
    assert "canary" not in said + supervisor.log.read_text()


@pytest.mark.long
def test_on_a_terminal_a_worker_says_what_it_does_in_plain_lines(logging_system):
    terminal, other_end = os.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as screen:
        worker = subprocess.Popen(
            [*MANAGE, "consume_orders", "--once"], env=logging_system.env, stdout=other_end, stderr=other_end
        )
        os.close(other_end)
        shown = _read_all(screen)
        assert worker.wait(30) == 0, shown
    plain = re.compile(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO    [a-z_.]+  .*order-router is at http://.*"
    )
    assert any(plain.fullmatch(line) for line in shown.splitlines()), shown
    assert '{"' not in shown


def _read_all(screen):
    """Until its other end is closed, which a terminal says with an error."""
    shown = b""
    with suppress(OSError):
        while select.select([screen], [], [], 30)[0] and (more := screen.read(65536)):
            shown += more
    return shown.decode()
