"""How long a log-in to the console lasts."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from order_entry_project import sessions

pytestmark = pytest.mark.django_db

PAGE, FRAGMENT = "/admin/orders/order/", "/admin/home/"


@pytest.fixture
def clock(monkeypatch, configure) -> Any:
    """Goes on by so many seconds; of sessions that end after 100 idle ones, or after 1000."""
    configure("console", session_idle=100.0, session_lifetime=1000.0)
    now = [time.time()]
    monkeypatch.setattr(sessions.time, "time", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


@pytest.fixture
def anna() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("anna"))
    assert client.get(PAGE).status_code == 200
    return client


def is_logged_in(client: Client, path: str = PAGE) -> bool:
    answer = client.get(path)
    assert answer.status_code in {200, 302}
    return answer.status_code == 200


def test_who_does_nothing_is_logged_out(clock, anna):
    clock(99)
    assert is_logged_in(anna)
    clock(101)
    assert not is_logged_in(anna)
    assert "sessionid" not in anna.cookies or not anna.cookies["sessionid"].value


def test_a_page_that_refreshes_itself_is_nobody_doing_something(clock, anna):
    for _ in range(5):
        clock(19)
        assert is_logged_in(anna, FRAGMENT)
    clock(10)
    assert not is_logged_in(anna, FRAGMENT)
    assert not is_logged_in(anna)


def test_nobody_stays_logged_in_for_ever(clock, anna):
    for _ in range(11):
        clock(90)
        assert is_logged_in(anna)
    clock(90)
    assert not is_logged_in(anna)


def test_the_api_takes_no_session_that_is_over(clock, anna):
    assert anna.get("/halt").status_code == 200
    clock(101)
    assert anna.get("/halt").status_code == 401


def test_that_someone_is_there_is_written_now_and_then_and_not_at_each_request(
    clock, anna, django_assert_max_num_queries
):
    clock(5)
    with django_assert_max_num_queries(100) as asked:
        anna.get(PAGE)
    assert not [query for query in asked.captured_queries if query["sql"].startswith("UPDATE")]
