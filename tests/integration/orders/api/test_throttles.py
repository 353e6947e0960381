"""What one caller may do to all others is bounded: number of requests, of orders, size of bodies."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django.test import Client

from orders.api import rates
from orders.models import Order
from tests.book_rows import order_in_book
from tests.callers import basic, bearer, bearing, person, problem_of, token

pytestmark = pytest.mark.django_db

ORDER = {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420}
STATUS = "/order/ORD-20260214-001"


def create(client: Client, order_id: str = "TEST-001", **more):
    return client.post(
        "/order", json.dumps(ORDER | {"orderId": order_id} | more), content_type="application/json"
    )


def test_a_stranger_who_asks_too_often_is_told_when_to_come_again(client, configure):
    order_in_book()
    configure("api", throttle_anonymous="3/min")
    assert [client.get(STATUS).status_code for _ in range(3)] == [200, 200, 200]
    response = client.get(STATUS)
    problem_of(response, 429)
    assert 19 <= int(response["Retry-After"]) <= 20


def test_another_address_is_another_stranger(client, configure):
    order_in_book()
    configure("api", throttle_anonymous="1/min")
    assert client.get(STATUS).status_code == 200
    assert client.get(STATUS).status_code == 429
    assert client.get(STATUS, REMOTE_ADDR="192.0.2.9").status_code == 200


def test_behind_a_trusted_proxy_each_client_counts_for_itself(client, configure):
    order_in_book()
    configure("api", throttle_anonymous="1/min", trusted_proxies=["127.0.0.1/32"])
    codes = [client.get(STATUS, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in (1, 2, 1)]
    assert codes == [200, 200, 429]


def test_a_stranger_cannot_be_someone_else_each_time(client, configure):
    order_in_book()
    configure("api", throttle_anonymous="1/min")
    codes = [client.get(STATUS, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code for n in (1, 2)]
    assert codes == [200, 429]


def test_tokens_and_users_count_for_themselves(configure):
    configure("api", throttle_authenticated="2/min", throttle_anonymous="1/h")
    person("anna", "view_order")
    callers = [bearing("read"), bearing("read", name="other"), Client(headers=basic("anna"))]
    for caller in callers:
        assert [caller.get("/order").status_code for _ in range(3)] == [200, 200, 429]


def test_refused_tokens_count_as_requests_of_their_address(client, configure):
    configure("api", throttle_anonymous="2/min")
    wrong = bearer("oe_" + "x" * 43)
    codes = [client.get("/order", headers=wrong).status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    good = bearer(token("read")[1])
    assert client.get("/order", headers=good).status_code == 200


def test_an_instance_creates_no_more_orders_a_second_than_its_rate_limit(configure, monkeypatch):
    configure("service", rate_limit=2)
    # A machine that is busy elsewhere takes half a second for two of them.
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    client = bearing("create")
    answers = [create(client, f"T-{number}") for number in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1]["Retry-After"] == "1"
    assert Order.objects.count() == 2
    assert create(bearing("create", name="other"), "T-9").status_code == 429


def test_the_defaults_are_not_met_by_a_desk(client):
    order_in_book()
    assert {client.get(STATUS).status_code for _ in range(200)} == {200}


class TestBodies:
    def test_one_of_the_largest_size_is_read_and_one_byte_more_is_not(self, configure):
        client = bearing("create")
        size = len(json.dumps(ORDER | {"note": ""}))
        configure("api", max_body=size + 100)
        assert create(client, note="x" * 100).status_code == 201
        document = problem_of(create(client, note="x" * 101), 413)
        assert f"{size + 100} bytes" in document["detail"]

    def test_it_is_64_kib_by_default(self):
        problem_of(create(bearing("create"), note="x" * 65_536), 413)

    def test_it_is_refused_before_anyone_is_asked_who_he_is(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            problem_of(create(client, note="x" * 65_536), 413)

    @pytest.mark.parametrize("method", ["get", "delete", "put"])
    def test_it_is_refused_whatever_the_method(self, client, method):
        response = getattr(client, method)(STATUS, data=b"", CONTENT_LENGTH="70000")
        problem_of(response, 413)

    def test_the_console_s_limit_is_higher_and_holds_for_files_too(self, client, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000
        assert client.post("/admin/login/", {"username": "x" * 70_000, "password": "y"}).status_code == 200
        problem_of(client.post("/admin/login/", {"username": "x" * 100_001}), 413)
