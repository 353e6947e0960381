"""Whatever breaks, an answer says nothing of how this service is made or where its neighbours are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.test import Client

from orders import status_cache
from orders.stores.port import StoreUnavailable
from tests.book_rows import order_in_book
from tests.callers import basic, bearing, person, problem_of

pytestmark = pytest.mark.django_db

SECRETS = "connection to server at 10.0.0.7, port 5432 failed: SELECT password FROM auth_user"
TRACES = (
    "10.0.0.7",
    "port 5432",
    "SELECT",
    "auth_user",
    "Traceback",
    "File ",
    "psycopg",
    "django",
    "order_entry_project",
)
NEW = {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420}
CALLS = {
    "status": lambda client: client.get("/order/ORD-20260214-001"),
    "full": lambda client: client.get("/order/ORD-20260214-001?view=full"),
    "list": lambda client: client.get("/order"),
    "create": lambda client: client.post("/order", json.dumps(NEW), content_type="application/json"),
    "events": lambda client: client.get("/order/ORD-20260214-001/events"),
    "routes": lambda client: client.get("/order/ORD-20260214-001/routes"),
}


def nothing_leaks(response: Any) -> None:
    answer = response.content.decode() + " ".join(f"{name}: {value}" for name, value in response.items())
    assert [trace for trace in TRACES if trace in answer] == []


@pytest.fixture(params=["token", "password", "session"])
def caller(request):
    if request.param == "token":
        client = bearing("read", "create")
    elif request.param == "password":
        person("anna", "view_order", "add_order")
        client = Client(headers=basic("anna"))
    else:
        client = Client()
        client.force_login(person("anna", "view_order", "add_order"))
    client.raise_request_exception = False
    return client


def failing(error: Exception):
    def execute(*_: Any) -> Any:
        raise error

    return connection.execute_wrapper(execute)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "error", [OperationalError(SECRETS), InterfaceError(SECRETS)], ids=["down", "closed"]
)
def test_without_sql_the_answer_is_to_come_back_later(caller, call, error):
    with failing(error):
        response = CALLS[call](caller)
    problem_of(response, 503)
    assert response["Retry-After"]
    nothing_leaks(response)


@pytest.mark.parametrize("caller", ["token"], indirect=True)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("error", [ProgrammingError(SECRETS), RuntimeError(SECRETS)], ids=["sql", "code"])
def test_an_error_that_nobody_foresaw_tells_nothing(caller, call, error):
    with failing(error):
        response = CALLS[call](caller)
    assert "has been logged" in problem_of(response, 500)["detail"]
    nothing_leaks(response)


@pytest.mark.parametrize("caller", ["token"], indirect=True)
@pytest.mark.parametrize("call", ["status", "create", "list"])
def test_without_the_cache_the_answer_is_the_same(caller, call, monkeypatch):
    def unavailable(*_: Any) -> Any:
        raise StoreUnavailable(SECRETS)

    order_in_book()
    before = CALLS[call](caller) if call != "create" else None
    for method in ("read", "write"):
        monkeypatch.setattr(type(status_cache.from_settings().store), method, unavailable)
    response = CALLS[call](caller)
    assert response.status_code == (before.status_code if before else 201)
    assert before is None or response.content == before.content
    nothing_leaks(response)


@pytest.mark.parametrize("caller", ["session"], indirect=True)
@pytest.mark.parametrize(
    "path", ["/metrics", "/health", "/health/ready", "/admin/", "/admin/login/", "/docs"]
)
def test_pages_beside_the_api_tell_nothing_either(caller, path):
    with failing(OperationalError(SECRETS)):
        page = caller.get(path).content.decode()
    assert [told for told in ("10.0.0.7", "SELECT password", "Traceback") if told in page] == []


@pytest.mark.parametrize(
    "path",
    [
        "/order/..%2f..%2fetc%2fpasswd",
        "/order/ORD'; DROP TABLE orders; --",
        "/order/%0d%0aSet-Cookie:%20a=b",
        "/order?status=ROUTED' OR '1'='1",
        "/order?cursor=%00",
        "/order?limit=%F0%9F%92%A9",
        "/order?symbol=%0d%0aX-Injected:%201",
    ],
)
def test_what_is_meant_to_break_something_finds_nothing(path):
    response = bearing("read").get(path)
    assert response.status_code in {200, 400, 404}
    nothing_leaks(response)
    assert not {"X-Injected", "Set-Cookie"} & set(response.headers)
    assert not response.cookies
