"""A canary in every place a secret may be given, in processes that work and in processes that fail: it sings nowhere.

Out of scope are what only the service's own user can read: its environment, its memory, its files of secrets.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urljoin

import pytest
import requests

from consumers import token
from order_entry_project.config import BASE_DIR
from tests.acceptance.system import System, system
from tests.acceptance.test_web import web
from tests.builders import body
from tests.otlp import Collector, collector
from tests.ports import free_port
from tests.security.hostile import Page
from tests.waiting import wait_until

CANARY = "canary"
PASSWORD = "canary-sql-password"
PERSON = ("root", "canary-of-a-person")
TOKEN_KEYS = {"a": "canary-token-key-" + "k" * 32, "b": "canary-token-key-" + "o" * 32}
PLANTED = {
    "API__SECRET_KEY": "canary-secret-key-" + "x" * 40,
    "IDEMPOTENCY__TOKEN_KEYS": json.dumps(TOKEN_KEYS),
    "IDEMPOTENCY__SIGNING_KEY": "a",
    "SAFEGUARD__SQL_API_KEY": "canary-safeguard-sql",
    "SAFEGUARD__TOKEN_API_KEY": "canary-safeguard-token",
    "MQ__USERNAME": "svc",
    "MQ__PASSWORD": "canary-mq-password",
    "REDIS__URL": "redis://svc:canary-redis-url@127.0.0.1:1/0",
    "REDIS__PASSWORD": "canary-redis-password",
    "TELEMETRY__OTLP_HEADERS__AUTHORIZATION": "Bearer canary-collector",
    "TELEMETRY__SAMPLING_RATIO": "1",
}
# One process for all: each is run as `manage.py` would.
_COMMANDS = """
import django, sys
django.setup()
from django.core.management import call_command
for line in sys.argv[1:]:
    print('##', line, flush=True)
    try:
        call_command(*line.split())
    except (Exception, SystemExit) as error:
        print(repr(error))
from django.conf import settings
print(repr(settings.CONFIG), str(settings.CONFIG), repr(settings.CREDENTIALS), settings.DATABASES)
"""
FIRST = [
    "createsuperuser --noinput --username root --email root@example.com",
    "create_api_token canaries --scope read",
]
THEN = [
    "diffsettings --all",
    "show_config",
    "show_config --json",
    "check --deploy",
    "preflight --json",
    "queue_depth",
    "retry_pending_routes",
    "list_api_tokens",
    "order_status ORD-good",
    "order_status ORD-none",
    "clear_idempotency ORD-good --reason test",
]


def run(made: System, *commands: str, **more: str) -> str:
    """Both outputs of commands; those that fail say why."""
    env = made.env | {"DJANGO_SETTINGS_MODULE": "order_entry_project.settings"} | more
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, *commands],
        env=env,
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout + done.stderr


@contextmanager
def refused(made: System, name: str, sign: str, **settings: str) -> Iterator[None]:
    """A worker that is not let in; at the end its log says so with `sign`."""
    with made.configured(TELEMETRY__METRICS_PORT="null", **settings) as wrong:
        worker = wrong.start("consume_orders", name=name)
        yield
        wait_until(lambda: sign in worker.log.read_text(), what=f"{name} says {sign}")


def publish_with_tokens(made: System) -> None:
    """A good order, and two whose senders put a secret where the token belongs."""
    signed = {
        "ORD-good": token.sign(
            {"a": TOKEN_KEYS["a"].encode()},
            message_id="m-ORD-good",
            order_id="ORD-good",
            body=body("ORD-good"),
            at=1,
        ),
        "ORD-bad": "canary-in-the-header",
        "ORD-known": f"t=1,kid=a,v1={'0' * 64}",
    }
    made.publish(*((f"m-{order_id}", body(order_id)) for order_id in signed))
    with made.database.connect() as connection:
        for order_id, header in signed.items():
            connection.execute(
                "UPDATE queue_messages SET headers = %s WHERE message_id = %s",
                [json.dumps({token.HEADER: header}), f"m-{order_id}"],
            )


def crawl(url: str) -> list[str]:
    """Every page of the console that a superuser gets to by links, and what else a web process answers."""
    with requests.Session() as browser:
        login = f"{url}/admin/login/"
        browser.get(login, timeout=10)
        name, words = PERSON
        form = {"username": name, "password": words, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post(login, form, allow_redirects=False, timeout=10).status_code == 302
        wanted = [
            f"{url}{path}" for path in ("/admin/", "/docs", "/openapi.json", "/metrics", "/health", "/order")
        ]
        seen: dict[str, str] = {}
        while wanted:
            address = wanted.pop()
            answer = browser.get(address, timeout=10)
            # Cookies are the browser's own business.
            headers = {name: value for name, value in answer.headers.items() if name != "Set-Cookie"}
            seen[address] = f"{headers}\n{answer.text}"
            if "/admin/" in address and "html" in answer.headers["Content-Type"]:
                links = [urljoin(address, link).split("#")[0] for link in Page(answer.text).links]
                wanted += {
                    link
                    for link in links
                    if link.startswith(f"{url}/admin/")
                    and "?" not in link
                    and "logout" not in link
                    and link not in {*seen, *wanted}
                }
    assert any("/rejectedmessage/" in address and "/change/" in address for address in seen), list(seen)
    return list(seen.values())


def fail_at_the_door(url: str, api_token: str) -> list[str]:
    """What strangers are answered who bring a secret along."""
    calls = [
        {"headers": {"Authorization": f"Bearer {api_token}"}},
        {"headers": {"Authorization": "Bearer oe_canary-invented"}},
        {"auth": ("root", "canary-wrong")},
        {"cookies": {"sessionid": "canary-session"}},
        {"params": {"canary-nowhere": "x", "symbol": "y"}},
    ]
    answers = [requests.get(f"{url}/order", timeout=10, **call) for call in calls[:4]]
    answers.append(requests.post(f"{url}/order", b"{", timeout=10, auth=PERSON))
    answers.append(requests.post(f"{url}/admin/login/", {"password": "canary-posted"}, timeout=10))
    assert [answer.status_code for answer in answers] == [200, 401, 401, 401, 415, 403]
    return [f"{answer.headers}\n{answer.text}" for answer in answers]


@pytest.fixture
def planted(database, tmp_path, rabbitmq):
    logs = tmp_path / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        sink = stack.enter_context(collector())
        role = stack.enter_context(database.role(PASSWORD))
        more = {
            "DATABASE__SQL_USER": role.name,
            "DATABASE__SQL_PASSWORD": PASSWORD,
            "LOGS__FOLDER": str(logs),
            "LOGS__LEVEL": "DEBUG",
            "TELEMETRY__OTLP_ENDPOINT": sink.url,
            "TELEMETRY__METRICS_PORT": str(free_port()),
        }
        made = stack.enter_context(system(database, tmp_path, **PLANTED, **more))
        yield made, sink, rabbitmq


def test_no_secret_is_told_by_anything_that_the_service_writes_or_answers(planted):
    made, sink, rabbitmq = planted
    broker = rabbitmq.url.replace("guest:guest@", "guest:canary-wrong-mq@")
    metrics = f"http://127.0.0.1:{made.env['ORDER_ENTRY__TELEMETRY__METRICS_PORT']}/metrics"
    publish_with_tokens(made)
    made.start("consume_orders")
    with (
        refused(made, "sql", "password authentication failed", DATABASE__SQL_PASSWORD="canary-wrong-sql"),
        refused(made, "broker", "ACCESS_REFUSED", MQ__BROKER_URL=broker),
        web(made.env, made.folder, WEB_CONCURRENCY="1") as url,
    ):
        said = run(made, *FIRST, DJANGO_SUPERUSER_PASSWORD=PERSON[1])
        # Shown once, where it is made.
        (api_token,) = re.findall(r"^oe_\S+", said, re.MULTILINE)
        wait_until(lambda: made.statuses() == {"ROUTED": 1}, what="the good order is routed")
        # From now on whatever can refuse does.
        made.registry.turn(failure_rate=1)
        made.router.turn(failure_rate=1)
        made.publish(*((f"m-{number}", body(f"ORD-{number}")) for number in range(3)))
        told = [said.replace(api_token, ""), run(made, *THEN), *crawl(url), *fail_at_the_door(url, api_token)]
        wait_until(
            lambda: made.statuses().get("PENDING_ROUTE") == 3, what="what the router refused is parked"
        )
        told.append(requests.get(metrics, timeout=5).text)
    sink.wait_for(lambda spans: any("SQL" in span.name for span in spans), what="spans of the worker")

    assert_there_was_something_to_tell(made, sink, api_token, told)
    told += [path.read_text() for path in made.folder.rglob("*.log")]
    told += [repr(span) for span in sink.spans()]
    assert len(told) > 30
    for text in told:
        for secret in (CANARY + "-", api_token, api_token.removeprefix("oe_"), "v1=0000"):
            where = text.find(secret)
            assert where < 0, text[max(0, where - 300) : where + 100]


def assert_there_was_something_to_tell(
    made: System, sink: Collector, api_token: str, told: list[str]
) -> None:
    assert sink.headers["authorization"] == "Bearer canary-collector"
    assert api_token.startswith("oe_")
    assert made.rows(
        "SELECT headers->>%s FROM rejected_messages WHERE order_id = 'ORD-bad'", token.HEADER
    ) == [("canary-in-the-header",)]
    for sign in ("a text of 20 characters", "SECRET_KEY = '[secret]'", "sql_api_key", "## check", "CONFIG"):
        assert any(sign in text for text in told), sign
    logs = {path.name: path.stat().st_size for path in (made.folder / "logs").iterdir()}
    assert set(logs) == {"order_entry.log", "router_calls.log", "sql_errors.log"}
    assert all(logs.values())
