"""The web process as it is deployed: gunicorn with its configuration, on a port."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from order_entry_project.config import BASE_DIR
from order_entry_project.embedded.processes import Child
from tests.ports import free_port
from tests.servers.postgres import fresh_database
from tests.tcp_proxy import TcpProxy
from tests.waiting import wait_until

LOGIN = ("anna", "correct horse battery")
NEW = b'{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'


@contextmanager
def web(env: Mapping[str, str], folder: Path, **config: str) -> Iterator[str]:
    """The URL of a running web process."""
    port = free_port()
    settings = {**env, **config, "ORDER_ENTRY__SERVICE__PORT": str(port)}
    argv = [sys.executable, "-m", "gunicorn", "-c", "order_entry_project/gunicorn.conf.py"]
    with Child.running(
        argv, name="web", log=folder / "web.log", folder=BASE_DIR, env={**os.environ, **settings}
    ) as child:
        url = f"http://127.0.0.1:{port}"
        awaited(lambda: child.check() or requests.get(f"{url}/health/live", timeout=5).ok)
        yield url


def awaited(condition: Callable[[], Any], patience: float = 30) -> None:
    """Until `condition` is true; what cannot be reached yet is not."""
    wait_until(condition, what="answered so", patience=patience, despite=(requests.ConnectionError,))


def manage(env: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=BASE_DIR, env={**os.environ, **env}, check=True
    )


@pytest.fixture(scope="module")
def url(postgresql, django_db_setup, tmp_path_factory) -> Iterator[str]:
    """A server that all tests here share, with a person who may log in."""
    name, words = LOGIN
    known = {
        "DJANGO_SUPERUSER_USERNAME": name,
        "DJANGO_SUPERUSER_PASSWORD": words,
        "DJANGO_SUPERUSER_EMAIL": "anna@example.com",
    }
    with fresh_database(postgresql) as database:
        manage({**database.env, **known}, "createsuperuser", "--noinput")
        with web(database.env, tmp_path_factory.mktemp("web")) as url:
            yield url


def test_an_order_is_created_and_read_with_the_runbook_s_bare_curl(url):
    created = requests.post(
        f"{url}/order", NEW, headers={"Content-Type": "application/json"}, auth=LOGIN, timeout=10
    )
    assert created.status_code == 201
    curl = [
        "curl",
        "--silent",
        "--show-error",
        "--connect-to",
        f"order-entry:8081:{url.removeprefix('http://')}",
    ]
    read = subprocess.run(
        [*curl, "http://order-entry:8081/order/TEST-001"], capture_output=True, check=True, timeout=30
    )
    assert read.stdout == created.content
    assert b'"quantity":50,"price":420.00,"route":null' in read.stdout


def test_health_has_the_spec_s_shape(url):
    answer = requests.get(f"{url}/health", timeout=10)
    assert answer.status_code == 200
    # No registry runs here: everything else does.
    assert answer.json() == {
        "status": "DEGRADED",
        "components": {"mq": "UP", "sql": "UP", "aerospike": "UP", "service_registry": "DOWN"},
    }


def test_one_connection_serves_many_requests_heads_among_them(url):
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
        connection.connect()
        socket = connection.sock
        for method, path, status in [
            ("GET", "/health/live", 200),
            ("HEAD", "/health/live", 200),
            ("HEAD", "/order/NONE", 404),
            ("GET", "/order/NONE", 404),
            ("HEAD", "/order/NONE", 404),
            ("GET", "/health/ready", 200),
        ]:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == status
            assert (body == b"") == (method == "HEAD")
            assert int(answer.headers["Content-Length"]) > 0
        assert connection.sock is socket


def test_the_console_s_pages_come_with_their_style(url):
    page = requests.get(f"{url}/admin/login/", timeout=10)
    assert "order-entry" in page.text
    styles = re.findall(r'<link [^>]*href="([^"]+\.css)"', page.text)
    assert len(styles) >= 2
    for style in styles:
        answer = requests.get(url + style, timeout=10)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/css")
        assert answer.headers["ETag"]


def test_a_login_is_good_at_every_process_of_the_server(url):
    with requests.Session() as person:
        person.get(f"{url}/admin/login/", timeout=10)
        name, words = LOGIN
        person.post(
            f"{url}/admin/login/?next=/admin/",
            {"username": name, "password": words, "csrfmiddlewaretoken": person.cookies["csrftoken"]},
            timeout=10,
        )
        # A connection each, so that all processes get some.
        for _ in range(20):
            page = requests.get(f"{url}/admin/", cookies=person.cookies, timeout=10, allow_redirects=False)
            assert page.status_code == 200


def test_a_body_in_chunks_is_refused_and_not_taken_for_an_empty_one(url):
    answer = requests.post(
        f"{url}/order", iter([NEW]), headers={"Content-Type": "application/json"}, auth=LOGIN, timeout=10
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (411, "application/problem+json")


def test_a_huge_body_is_refused_and_the_server_goes_on(url):
    answer = requests.post(
        f"{url}/order",
        b"[" * 20_000_000,
        headers={"Content-Type": "application/json"},
        auth=LOGIN,
        timeout=30,
    )
    assert answer.status_code == 413
    assert requests.get(f"{url}/health/live", timeout=10).ok


def test_a_configuration_that_check_refuses_is_not_served(database, tmp_path):
    env = {**os.environ, **database.env, "ORDER_ENTRY__DATABASE__CREDENTIALS_SOURCE": "safeguard"}
    refused = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            "order_entry_project/gunicorn.conf.py",
            "--bind",
            "127.0.0.1:0",
        ],
        cwd=BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert refused.returncode != 0
    assert "safeguard.sql_api_key is not set, but Safeguard is to give credentials." in refused.stderr


@pytest.mark.long
def test_without_sql_it_says_so_stays_alive_and_comes_back(database, tmp_path):
    with TcpProxy(f"{database.host}/.s.PGSQL.5432") as line:
        line.refuse()
        env = database.env | {
            "ORDER_ENTRY__DATABASE__SQL_HOST": "127.0.0.1",
            "ORDER_ENTRY__DATABASE__SQL_PORT": str(line.port),
            "ORDER_ENTRY__DATABASE__CONNECTION_TIMEOUT": "2s",
        }
        with web(env, tmp_path) as url:
            line.accept()
            awaited(lambda: requests.get(f"{url}/health/ready", timeout=5).ok)
            assert requests.get(f"{url}/order/NONE", timeout=10).status_code == 404
            line.refuse()
            with ThreadPoolExecutor(40) as callers:
                asked = [callers.submit(requests.get, f"{url}/order/NONE", timeout=30) for _ in range(40)]
                began = time.monotonic()
                assert requests.get(f"{url}/health/live", timeout=5).ok
                assert time.monotonic() - began < 2
                answers = [call.result() for call in asked]
            assert {answer.status_code for answer in answers} == {503}
            assert all(answer.headers["Retry-After"] for answer in answers)
            health = requests.get(f"{url}/health", timeout=5)
            assert (health.status_code, health.json()["components"]["sql"]) == (503, "DOWN")
            line.accept()
            awaited(lambda: requests.get(f"{url}/order/NONE", timeout=10).status_code == 404, patience=15)
            awaited(lambda: requests.get(f"{url}/health/ready", timeout=5).ok, patience=15)


@pytest.mark.long
def test_a_process_that_ends_is_replaced_and_its_requests_stay_counted(database, tmp_path):
    counted = re.compile(r'^django_http_responses_total_by_status_total\{status="404"\} (.*)$', re.MULTILINE)
    with web(database.env | {"WEB_CONCURRENCY": "1"}, tmp_path) as url:
        for _ in range(3):
            assert requests.get(f"{url}/order/NONE", timeout=5).status_code == 404
        (process,) = re.findall(r"Booting worker with pid: (\d+)", (tmp_path / "web.log").read_text())
        os.kill(int(process), signal.SIGTERM)
        awaited(lambda: (tmp_path / "web.log").read_text().count("Booting worker") == 2)
        awaited(lambda: requests.get(f"{url}/order/NONE", timeout=5).status_code == 404)
        assert counted.findall(requests.get(f"{url}/metrics", timeout=5).text) == ["4.0"]
