"""The short way to the status of an order: the same answer, without what looks for a person behind the request."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY

from order_entry_project import request_metrics
from orders import status_cache
from orders.api import views
from orders.status_cache import StatusCache
from tests.book_rows import order_in_book
from tests.callers import problem_of

pytestmark = pytest.mark.django_db

STATUS = "/order/ORD-20260214-001"
# More than the short way looks into.
_LONG_WAY = {"Accept": "application/json, text/plain;q=0.9"}


@pytest.fixture
def cached():
    order = order_in_book()
    status_cache.from_settings().put(order)
    return order


@pytest.fixture
def no_view(monkeypatch):
    """Whatever reaches the view fails."""

    def fail(*_, **__):
        raise AssertionError("the long way")

    monkeypatch.setattr(views.OrderStatusView, "dispatch", fail)


def headers(response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "Expires"}


def test_what_the_cache_has_is_answered_without_the_view(client, cached, no_view):
    assert client.get(STATUS).json()["orderId"] == "ORD-20260214-001"


def test_both_ways_give_the_same_answer_to_the_letter(client, cached):
    short, long = client.get(STATUS), client.get(STATUS, headers=_LONG_WAY)
    assert short.content == long.content
    assert headers(short) == headers(long)
    assert short.headers["Expires"][-3:] == long.headers["Expires"][-3:] == "GMT"


def test_what_was_missed_is_looked_up_once(client, monkeypatch):
    order_in_book()
    asked = []
    get = StatusCache.get
    monkeypatch.setattr(
        StatusCache, "get", lambda self, order_id: asked.append(order_id) or get(self, order_id)
    )
    assert client.get(STATUS).status_code == 200
    assert asked == ["ORD-20260214-001"]
    assert client.get(STATUS).status_code == 200
    assert len(asked) == 2


def test_who_comes_too_often_is_told_so_in_either_way(client, cached, configure):
    configure("api", throttle_anonymous="2/min")
    assert [client.get(STATUS).status_code for _ in range(2)] == [200, 200]
    refused = client.get(STATUS)
    assert problem_of(refused, 429)["status"] == 429
    assert 29 <= int(refused["Retry-After"]) <= 30
    problem_of(client.get(STATUS, headers=_LONG_WAY), 429)


def test_where_strangers_may_not_read_there_is_no_short_way(client, cached, configure):
    configure("api", anonymous_reads=False)
    problem_of(client.get(STATUS), 401)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": STATUS, "headers": {"Accept": "text/html"}}, 406),
        ({"path": STATUS, "headers": {"Host": "elsewhere.example"}}, 400),
        ({"path": STATUS, "data": {"view": "full"}}, 401),
        ({"path": "/order/ORD-UNKNOWN"}, 404),
        ({"path": f"{STATUS}/"}, 404),
    ],
)
def test_refusals_are_those_of_the_long_way(client, cached, request_, status):
    assert client.get(**request_).status_code == status


def test_head_and_other_methods_go_the_long_way(client, cached):
    assert client.head(STATUS).content == b""
    problem_of(client.delete(STATUS), 405)


def test_requests_of_both_ways_are_counted_under_the_same_view(client, cached):
    labels = {"view": "order", "method": "GET"}
    figures = {
        "django_http_requests_total_by_view_transport_method_total": {"transport": "http"},
        "django_http_responses_total_by_status_view_method_total": {"status": "200"},
        "django_http_requests_latency_seconds_by_view_method_count": {},
    }

    def counted():
        request_metrics.write()
        return [REGISTRY.get_sample_value(name, labels | more) or 0 for name, more in figures.items()]

    before = counted()
    client.get(STATUS)
    client.get(STATUS, headers=_LONG_WAY)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [2, 2, 2]
