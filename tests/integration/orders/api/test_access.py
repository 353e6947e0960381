"""Who may do what: by token, by session, by name and password, by nobody."""

from __future__ import annotations

import json

import pytest
from django.test import Client, RequestFactory
from django.urls import get_resolver
from drf_spectacular.validation import validate_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.api.access import ScopePermission
from orders.models import Order
from orders.scopes import Scope
from tests.book_rows import order_in_book, routed_order
from tests.callers import (
    basic,
    bearer,
    bearing,
    person,
    problem_of,
    token,
)

pytestmark = pytest.mark.django_db

NEW = '{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'
STATUS = "/order/ORD-20260214-001"
FULL = f"{STATUS}?view=full"
READ = ["/order", f"{STATUS}/events", f"{STATUS}/routes", FULL]


def create(client: Client, **extra):
    return client.post("/order", NEW, content_type="application/json", **extra)


class Operation(APIView):
    scopes = {"POST": Scope.OPERATE}

    def post(self, request):
        return Response({})


class Forgotten(APIView):
    def get(self, request):
        return Response({})


def operate(**headers):
    request = RequestFactory().post("/", headers=headers)
    return Operation.as_view()(request)


def test_the_runbook_s_bare_curl_works_by_default(client):
    order_in_book()
    assert client.get(STATUS).json()["status"] == "PLACED"


def test_the_status_of_an_order_needs_the_scope_read_where_reads_are_not_open(client, configure):
    order_in_book()
    configure("api", anonymous_reads=False)
    response = client.get(STATUS)
    problem_of(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="order-entry", Basic realm="order-entry"'
    assert problem_of(bearing("create").get(STATUS), 403)["scope"] == "read"
    assert bearing("read", name="reader").get(STATUS).json()["status"] == "PLACED"


def test_open_reads_ask_nobody_who_he_is(client, django_assert_num_queries):
    """They go on while SQL, which knows the tokens, is away."""
    order_in_book()
    client.get(STATUS)
    with django_assert_num_queries(1):  # the cache, here in SQL
        assert client.get(STATUS, headers=bearer("oe_" + "x" * 43)).status_code == 200


@pytest.mark.parametrize("path", READ)
def test_everything_else_that_can_be_read_needs_the_scope_read(client, path):
    routed_order()
    problem_of(client.get(path), 401)
    assert problem_of(bearing("create", "operate", "metrics").get(path), 403)["scope"] == "read"
    assert bearing("read", name="reader").get(path).status_code == 200


def test_the_full_view_is_the_list_s_form_of_an_order():
    routed_order(counterparty="ACME")
    client = bearing("read")
    assert client.get(FULL).json() == client.get("/order").json()["results"][0]
    assert client.get(FULL).json()["counterparty"] == "ACME"


def test_of_an_unknown_order_there_is_no_full_view():
    problem_of(bearing("read").get("/order/NONE?view=full"), 404)


def test_another_view_is_refused_with_the_one_there_is():
    order_in_book()
    assert "expected full" in problem_of(bearing("read").get(f"{STATUS}?view=ful"), 400)["detail"]


def test_creating_needs_the_scope_create():
    document = problem_of(create(bearing("read", "operate")), 403)
    assert document["scope"] == "create"
    assert "scope create" in document["detail"]
    assert not Order.objects.exists()
    assert create(bearing("create", name="creator")).status_code == 201


def test_operating_needs_the_scope_operate():
    assert operate().status_code == 401
    response = operate(**bearer(token("read", "create", "metrics")[1]))
    assert (response.status_code, json.loads(response.content)["scope"]) == (403, "operate")
    assert operate(**bearer(token("operate", name="operator")[1])).status_code == 200


@pytest.mark.parametrize("permissions", [(), ("view_order",), ("add_order",)])
def test_staff_without_the_permission_may_not_operate(permissions):
    person("anna", *permissions, is_staff=True)
    response = operate(**basic("anna"))
    assert (response.status_code, json.loads(response.content)["scope"]) == (403, "operate")
    assert "orders.route_order" in json.loads(response.content)["detail"]


def test_a_user_has_the_scopes_of_the_permissions_he_has():
    person("anna", "route_order")
    assert operate(**basic("anna")).status_code == 200
    problem_of(Client(headers=basic("anna")).get("/order"), 403)


def test_a_session_works_with_its_csrf_token_and_not_without():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("anna", "add_order", is_staff=True))
    assert "CSRF" in problem_of(create(browser), 403)["detail"]
    assert not Order.objects.exists()
    browser.get("/admin/login/?next=/elsewhere")
    csrf = browser.get("/admin/password_change/").context["csrf_token"]
    assert create(browser, headers={"X-CSRFToken": str(csrf)}).status_code == 201


def test_a_token_needs_no_csrf_token():
    _, text = token("create")
    assert create(Client(enforce_csrf_checks=True, headers=bearer(text))).status_code == 201


def test_a_wrong_token_is_refused_although_the_session_would_do(client):
    client.force_login(person("anna", "view_order"))
    problem_of(client.get("/order", headers=bearer("oe_" + "x" * 43)), 401)


def test_a_view_that_names_no_scope_is_closed_to_all():
    person("anna", is_superuser=True)
    request = RequestFactory().get("/", headers=basic("anna"))
    with pytest.raises(Exception, match="Forgotten names no scope for GET"):
        Forgotten.as_view()(request)


def test_every_view_of_the_api_names_the_scope_of_every_method():
    views = [
        found.callback.cls
        for pattern in get_resolver().url_patterns
        for found in getattr(pattern, "url_patterns", [pattern])
        if hasattr(found.callback, "cls") and ScopePermission in found.callback.cls.permission_classes
    ]
    assert len(views) >= 5
    for view in views:
        methods = {name.upper() for name in view.http_method_names if hasattr(view, name)} - {
            "OPTIONS",
            "HEAD",
        }
        assert methods == set(view.scopes), view


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_open_to_all_and_never_throttled(client, configure, path):
    configure("api", anonymous_reads=False, anonymous_metrics=False, throttle_anonymous="1/h")
    for _ in range(3):
        assert client.get(path).status_code in {200, 503}


class TestMetrics:
    def test_they_are_open_by_default(self, client):
        assert b"\nsql_up " in client.get("/metrics").content

    def test_they_can_be_closed_to_all_but_the_scope_metrics(self, client, configure):
        configure("api", anonymous_metrics=False)
        problem_of(client.get("/metrics"), 401)
        assert problem_of(bearing("read", "create", "operate").get("/metrics"), 403)["scope"] == "metrics"
        answer = bearing("metrics", name="prometheus").get(
            "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        )
        assert b"\nsql_up " in answer.content
        assert answer["Content-Type"].startswith("text/plain")

    def test_the_scope_metrics_opens_nothing_else(self):
        problem_of(bearing("metrics").get("/order"), 403)


class TestDocumentation:
    @pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
    def test_it_is_as_open_as_the_status_of_an_order(self, client, configure, path):
        assert client.get(path).status_code == 200
        configure("api", anonymous_reads=False)
        problem_of(client.get(path), 401)
        problem_of(bearing("create").get(path), 403)
        assert bearing("read", name="reader").get(path).status_code == 200

    def test_it_is_valid_openapi(self, client):
        validate_schema(json.loads(client.get("/openapi.json").content))

    def test_it_names_each_way_to_say_who_one_is(self, client):
        document = json.loads(client.get("/openapi.json").content)
        schemes = document["components"]["securitySchemes"]
        assert schemes["token"]["scheme"] == "bearer"
        assert schemes["password"]["scheme"] == "basic"
        assert schemes["certificate"]["in"] == "header"
        assert schemes["cookieAuth"]["in"] == "cookie"
        (post, get) = (document["paths"]["/order"][method] for method in ("post", "get"))
        for operation in (post, get):
            assert {next(iter(way)) for way in operation["security"]} == set(schemes)
            assert {"401", "403", "429"} <= set(operation["responses"])


class TestDiagnosis:
    def routes(self, client):
        order = routed_order(attempts=1)
        order.routes.create(
            id="22222222-2222-2222-2222-222222222222",
            attempt=1,
            outcome="UNREACHABLE",
            decided_by="router",
            endpoint="http://10.0.0.7:9000",
            error="10.0.0.7 refused the connection",
        )
        return client.get(f"{STATUS}/routes").content.decode()

    def test_machines_of_this_network_are_named_to_those_who_operate(self):
        text = self.routes(bearing("read", "operate"))
        assert "http://10.0.0.7:9000" in text
        assert "10.0.0.7 refused" in text

    def test_machines_of_this_network_are_named_to_nobody_else(self):
        assert "10.0.0.7" not in self.routes(bearing("read"))
