"""Every command of the documentation is run as it stands, or is named here with the reason why not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from order_entry_project.config import BASE_DIR
from tests.acceptance.system import System, system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.documented import Command, commands

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

ORDER = "ORD-20260214-001"
# What no test here runs, and why. A key is how the command begins.
NOT_RUN = {
    "make demo": "tests/acceptance/test_clean_clone.py does",
    "make run": "tests/acceptance/test_run.py does",
    "make bench": "it takes a quarter of an hour; tests/acceptance/test_bench.py runs a short one",
    "make ": "it runs the tests, of which this is one; .ci/run runs it",
    ".venv/bin/python manage.py shell": "a person types into it",
    "python manage.py createsuperuser": "a person types into it",
    "python manage.py check --deploy": "make check does, with the production example",
    "python manage.py create_roles": "tests/acceptance/test_least_privilege.py does, as a superuser of its own server",
    "manage.py create_roles": "the same",
    "python manage.py preflight": "tests/acceptance/test_preflight.py does; here no proxy speaks TLS",
    "gunicorn": "the API of this test is one",
    "python manage.py consume_orders --processes 4": "it runs until it is stopped, as the consumer of this test",
    "export ": "no command: names a file of the deployment",
    "docker": "no container engine; the files are held against their schemas by make check",
    "useradd": "changes the machine",
    "cp deploy/": "changes the machine",
    "systemctl": "changes the machine; make check has systemd verify the units",
    "pg_dump": "tests/acceptance/test_backup.py does",
    "createdb": "the same",
    "pg_restore": "the same",
    "python3 -I check_evidence.py": "tests/integration/audit does, with an anchor",
    "mqsi": "the spec's, quoted: there is no such command",
    "aerospike>": "the spec's, quoted: there is no such shell",
    "aql>": "the spec's, quoted: no valid AQL",
    "SELECT table_name": "the spec's, quoted: it fails, and the text says how",
    "export ORDER_ENTRY_TEST": "needs a queue manager",
    ".venv/bin/python -m pytest": "the same",
    "git clone --branch v9": "IBM's sources, from the network",
    "cd mq-container": "into them",
    "sed -i 's/genmqpkg": "the same",
    "LICENSE=accept": "no container engine",
    'echo "START CHANNEL': "the same",
}
# Configuration and formats, which are no commands.
NO_COMMAND = re.compile(
    r"[\w-]+:|ssl_|proxy_set_header|t=|ORDER_ENTRY__|[A-Z]+ [A-Z]+\(|WHERE|ORDER BY|['{*+-]"
)
# Where it is right to say no: it says what it would remove, or found; or a neighbour is not one for production.
EXIT_CODES = {
    f"manage.py clear_idempotency {ORDER}": {1},
    "manage.py preflight": {1},
    "manage.py stale_orders": {0, 1},
    "manage.py repair_cache --dry-run": {0, 1},
}


@dataclass
class Desk:
    """A shell in which the documentation is true: the service at its URL, a token, orders that wait for a person."""

    made: System
    url: str
    token: str
    folder: Path

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        text = text.replace("/var/archive", str(self.folder))
        for documented in ("http://order-entry:8081", "https://order-entry.trading.internal"):
            text = text.replace(documented, self.url)
        text = re.sub(r"^curl\b", "curl --fail-with-body --silent --show-error", text)
        text = re.sub(
            r"^(\.venv/bin/python |python )?manage\.py\b", f"{sys.executable} {BASE_DIR}/manage.py", text
        )
        return subprocess.run(
            ["bash", "-c", text],
            env=self.made.env | {"URL": self.url, "TOKEN": self.token},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def desk(database, tmp_path) -> Iterator[Desk]:
    with database.connect() as connection:
        # The ids that the runbook names.
        connection.execute("ALTER TABLE rejected_messages ALTER COLUMN id RESTART WITH 4711")
        connection.execute("ALTER TABLE halts ALTER COLUMN id RESTART WITH 7")
    with system(database, tmp_path, CACHE__STORE="postgresql") as made, web(made.env, tmp_path) as url:
        made.router.turn(refusal_rate=1)
        names = [ORDER, *(f"ORD-{number}" for number in range(1, 6))]
        made.publish(*[(f"m-{name}", body(name)) for name in names], ("m-bad", b"{}"))
        assert made.drain()["pending"] == len(names)
        made.router.turn(refusal_rate=0)
        made.manage("createsuperuser", "--noinput", "--username=ann", "--email=ann@example.com")
        scopes = [f"--scope={scope}" for scope in ("read", "create", "operate")]
        token = made.manage("create_api_token", "runbook", *scopes).split()[-1]
        yield Desk(made, url, token, tmp_path)


def is_run(command: Command) -> bool:
    return not NO_COMMAND.match(command.text) and not any(map(command.text.startswith, NOT_RUN))


def expected(command: Command) -> set[int]:
    found = [codes for begin, codes in EXIT_CODES.items() if command.text.startswith(begin)]
    return found[0] if found and "--yes" not in command.text else {0}


def test_what_is_not_run_is_in_the_documentation():
    assert [begin for begin in NOT_RUN if not any(each.text.startswith(begin) for each in commands())] == []


def test_every_command_does_what_the_text_says(desk):
    refused = []
    orders = (f"ORD-{number}" for number in range(1, 6))
    given = [command for command in commands() if is_run(command)]
    assert len(given) > 30
    for command in given:
        # The text gives one order for things of which only one can be done to it.
        text = command.text
        if "/ORD-1/" in text:
            text = text.replace("ORD-1", next(orders))
        if text.startswith("SELECT"):
            assert desk.made.rows(text), command
            continue
        if "/execution" in text:  # only what is routed is executed
            route = text.replace("-X POST", """--json '{"route": "X", "reason": "to be executed"}'""")
            assert desk.run(route.replace("/execution", "/route")).returncode == 0
        done = desk.run(text)
        if done.returncode not in expected(command):
            refused.append(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    assert not refused, "\n".join(refused)
