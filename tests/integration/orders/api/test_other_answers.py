"""Paths, types and hosts that are none of the API's, and pages beside it."""

from __future__ import annotations

import json
import re

import pytest

from orders import selectors
from tests.book_rows import order_in_book
from tests.callers import problem_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/order/", "/orders", "/order/A/nothing", "/nothing", "/health/", "/static/nothing.css"]
)
def test_a_wrong_path_is_a_problem_document(client, path):
    problem_of(client.get(path), 404)


def test_a_type_nobody_here_speaks_is_a_406(as_reader):
    problem_of(as_reader.get("/order", headers={"Accept": "text/csv"}), 406)


def test_a_host_that_is_not_ours_is_a_400(client):
    problem_of(client.get("/order/A", headers={"Host": "evil.example"}), 400)


def test_the_service_s_own_name_is_a_host(client):
    order_in_book()
    assert client.get("/order/ORD-20260214-001", headers={"Host": "order-entry:8081"}).status_code == 200


def test_what_nobody_foresaw_is_a_500_that_tells_nothing(client, monkeypatch):
    def broken(order_id: str) -> str:
        raise RuntimeError("secret innards")

    monkeypatch.setattr(selectors, "api_document", broken)
    client.raise_request_exception = False
    response = client.get("/order/A")
    problem_of(response, 500)
    assert b"innards" not in response.content


def test_the_console_has_pages_for_people_instead(admin_client):
    response = admin_client.get("/admin/nothing/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_the_root_leads_to_the_console(client):
    assert client.get("/")["Location"] == "/admin/"


def test_the_openapi_document_describes_every_path(client):
    document = json.loads(client.get("/openapi.json").content)
    assert set(document["paths"]) == {
        "/order",
        "/order/{order_id}",
        "/order/{order_id}/events",
        "/order/{order_id}/routes",
        "/order/{order_id}/route",
        "/order/{order_id}/retry",
        "/order/{order_id}/cancel",
        "/order/{order_id}/execution",
        "/order/{order_id}/clear-review",
        "/approval",
        "/approval/{approval_id}",
        "/approval/{approval_id}/approve",
        "/approval/{approval_id}/decline",
        "/halt",
        "/halt/{halt_id}/lift",
        "/health",
        "/health/live",
        "/health/ready",
    }
    answers = document["paths"]["/order"]["post"]["responses"]
    assert {"200", "201", "400", "409", "413", "415"} <= set(answers)


def test_the_documentation_page_needs_nobody_else_s_server(client):
    page = client.get("/docs").content.decode()
    assert re.findall(r'(?:src|href)="(https?:[^"]+)"', page) == []
    assert "/static/drf_spectacular_sidecar/" in page
