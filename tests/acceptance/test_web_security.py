"""The web process keeps out whom it should: gunicorn as deployed, tokens as its operators make them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from order_entry_project.config import BASE_DIR
from tests.acceptance.test_web import NEW, web

JSON = {"Content-Type": "application/json"}
DN = "X-SSL-Client-S-DN"


def token(env: dict[str, str], name: str, scope: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "create_api_token", name, "--scope", scope],
        cwd=BASE_DIR,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {"Authorization": f"Bearer {done.stdout.strip()}"}


def problem_of(answer: requests.Response, status: int) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    document = answer.json()
    assert set(document) >= {"type", "title", "status", "detail"}
    return document


@pytest.fixture
def closed(database, tmp_path) -> Iterator[str]:
    """A web process of two processes that is open to nobody."""
    config = {
        "ORDER_ENTRY__API__ANONYMOUS_READS": "false",
        "ORDER_ENTRY__API__ANONYMOUS_METRICS": "false",
        "ORDER_ENTRY__API__TRUSTED_PROXIES": '["127.0.0.2/32"]',
        "ORDER_ENTRY__API__CLIENT_CERTIFICATE_HEADER": DN,
        "ORDER_ENTRY__API__CLIENT_CERTIFICATES": '{"CN=desk": ["read"]}',
        "ORDER_ENTRY__API__THROTTLE_AUTHENTICATED": "20/h",
    }
    with web(database.env, tmp_path, **config) as url:
        yield url


def through_the_proxy(url: str, path: str, **headers: str) -> requests.Response:
    """From 127.0.0.2, which the process takes for a proxy."""
    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter()
        adapter.init_poolmanager(1, 1, source_address=("127.0.0.2", 0))
        session.mount("http://", adapter)
        return session.get(url + path, headers=headers, timeout=10)


def test_nobody_gets_in_but_by_token_or_certificate_and_no_more_than_is_allowed(closed, database):
    for path in ("/order/NONE", "/order", "/metrics", "/openapi.json"):
        answer = requests.get(closed + path, timeout=10)
        problem_of(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert requests.get(f"{closed}/health/live", timeout=10).ok

    reader = token(database.env, "desk-tool", "read")
    problem_of(requests.get(f"{closed}/order/NONE", headers=reader, timeout=10), 404)
    refused = requests.post(f"{closed}/order", NEW, headers=reader | JSON, timeout=10)
    assert problem_of(refused, 403)["scope"] == "create"
    problem_of(requests.post(f"{closed}/order", b"x" * 70_000, headers=reader | JSON, timeout=10), 413)

    assert through_the_proxy(closed, "/order", **{DN: "CN=desk"}).status_code == 200
    problem_of(through_the_proxy(closed, "/order", **{DN: "CN=other"}), 401)
    for forged in (DN, DN.replace("-", "_")):
        problem_of(requests.get(f"{closed}/order", headers={forged: "CN=desk"}, timeout=10), 401)

    for headers in ({"X-Long": "x" * 10_000}, {f"X-{number}": "x" for number in range(80)}):
        answer = requests.get(f"{closed}/health/live", headers=headers, timeout=10)
        assert 400 <= answer.status_code < 500

    # Of 20 an hour one is gone; each comes by a connection, hence to a process, of its own.
    codes = [requests.get(f"{closed}/order", headers=reader, timeout=10).status_code for _ in range(24)]
    assert codes == [200] * 19 + [429] * 5
    last = requests.get(f"{closed}/order", headers=reader, timeout=10)
    problem_of(last, 429)
    assert 0 < int(last.headers["Retry-After"]) <= 180


SLOW_HEADERS = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
SLOW_BODY = b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"


def test_clients_that_send_slowly_do_not_keep_others_out(database, tmp_path):
    config = {"ORDER_ENTRY__API__READ_TIMEOUT": "1s", "WEB_CONCURRENCY": "1"}
    with ExitStack() as stack:
        url = stack.enter_context(web(database.env, tmp_path, **config))
        address = (urlsplit(url).hostname, urlsplit(url).port)
        slow = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(16)]
        for number, connection in enumerate(slow):
            connection.sendall(SLOW_BODY if number % 2 else SLOW_HEADERS)
        done = threading.Event()
        stack.callback(done.set)
        threading.Thread(target=_drip, args=(slow, done), daemon=True).start()
        began = time.monotonic()
        assert requests.get(f"{url}/health/live", timeout=10).ok
        assert time.monotonic() - began < 6
        for connection in slow:
            assert _all_of(connection).partition(b"\r\n")[0] in {b"", b"HTTP/1.1 403 Forbidden"}


def _drip(connections: list[socket.socket], done: threading.Event) -> None:
    while not done.wait(0.2):
        for connection in connections:
            try:
                connection.sendall(b"x")
            except OSError:
                continue


def _all_of(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(65_536):
            answer += part
    except ConnectionResetError:
        pass
    return answer
