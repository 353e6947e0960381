"""The console while SQL is away, or stands still: each page says so, and soon."""

from __future__ import annotations

import time

import pytest
import requests

from tests.acceptance.test_web import LOGIN, awaited, manage, web
from tests.tcp_proxy import TcpProxy

PAGES = (
    "/admin/",
    "/admin/home/",
    "/admin/orders/order/",
    "/admin/orders/order/A-1/change/",
    "/admin/consumers/rejectedmessage/",
    "/admin/login/",
    "/order?status=ROUTED",
    "/halt",
)
SOON = 3.5  # seconds


@pytest.fixture
def served(database, tmp_path):
    """The line to SQL, the URL, and the cookies of someone who has logged in."""
    name, words = LOGIN
    known = {"USERNAME": name, "PASSWORD": words, "EMAIL": "anna@example.com"}
    superuser = {f"DJANGO_SUPERUSER_{key}": value for key, value in known.items()}
    manage({**database.env, **superuser}, "createsuperuser", "--noinput")
    with TcpProxy(f"{database.host}/.s.PGSQL.5432") as line:
        env = database.env | {
            "ORDER_ENTRY__DATABASE__SQL_HOST": "127.0.0.1",
            "ORDER_ENTRY__DATABASE__SQL_PORT": str(line.port),
            "WEB_CONCURRENCY": "1",
        }
        with web(env, tmp_path) as url, requests.Session() as person:
            person.get(f"{url}/admin/login/", timeout=10)
            form = {"username": name, "password": words, "csrfmiddlewaretoken": person.cookies["csrftoken"]}
            person.post(f"{url}/admin/login/?next=/admin/", form, timeout=10)
            yield line, url, person


@pytest.mark.long
@pytest.mark.parametrize(("fault", "mended"), [("refuse", "accept"), ("freeze", "thaw")])
def test_every_page_says_soon_that_sql_is_away_and_is_back_when_it_is(served, fault, mended):
    line, url, person = served
    assert person.get(f"{url}/admin/orders/order/", timeout=10).ok
    getattr(line, fault)()
    for path in PAGES:
        began = time.monotonic()
        answer = person.get(url + path, timeout=30)
        took = time.monotonic() - began
        for_people = path.startswith("/admin/")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), path
        assert "The order book does not answer" in answer.text
        assert answer.headers["Content-Type"].startswith(
            "text/html" if for_people else "application/problem+json"
        )
        assert took < SOON, f"{path} took {took:.1f} s"
    getattr(line, mended)()
    awaited(lambda: person.get(f"{url}/admin/orders/order/", timeout=10).ok, patience=15)
