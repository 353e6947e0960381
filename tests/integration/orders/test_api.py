from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.test import Client

from orders import selectors, status_cache
from orders.lifecycle import Event, Status
from orders.models import Order, OrderEvent, StoreRecord
from tests.book_rows import CREATED_AT, claimed, order_in_book, parked_order, routed_order

pytestmark = pytest.mark.django_db

NEW = '{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'
LONG_ENOUGH = "correct horse battery"
KEYS = ["orderId", "status", "symbol", "side", "quantity", "price", "route", "created_at", "routed_at"]


@pytest.fixture
def trader() -> User:
    user = User.objects.create(username="trader")
    user.user_permissions.add(Permission.objects.get(codename="add_order"))
    return user


@pytest.fixture
def reader() -> User:
    user = User.objects.create(username="reader")
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    return user


@pytest.fixture
def as_trader(client: Client, trader: User) -> Client:
    client.force_login(trader)
    return client


@pytest.fixture
def as_reader(client: Client, reader: User) -> Client:
    client.force_login(reader)
    return client


def post(client: Client, body: str | bytes, content_type: str = "application/json", **extra: Any) -> Any:
    # Named twice: for an empty body Django's client sends none.
    return client.post("/order", body, content_type=content_type, CONTENT_TYPE=content_type, **extra)


def problem_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    return document


class TestStatusOfOneOrder:
    def test_a_routed_order_is_answered_as_in_the_spec_to_the_letter(self, client):
        routed_order()
        response = client.get("/order/ORD-20260214-001")
        assert response.status_code == 200
        assert response["Content-Type"] == "application/json"
        assert response.content.decode() == (
            '{"orderId":"ORD-20260214-001","status":"ROUTED","symbol":"AAPL","side":"BUY","quantity":100,'
            '"price":145.50,"route":"NASDAQ-EXECUTION-1","created_at":"2026-02-14T10:30:45Z",'
            '"routed_at":"2026-02-14T10:30:48Z"}'
        )

    def test_an_order_not_yet_routed_has_nulls_for_what_has_not_happened(self, client):
        order_in_book()
        document = client.get("/order/ORD-20260214-001").json()
        assert list(document) == KEYS
        assert (document["status"], document["route"], document["routed_at"]) == ("PLACED", None, None)

    def test_the_answer_is_the_same_from_the_cache_and_from_sql(self, client):
        routed_order(quantity=Decimal("0.5"), price=Decimal("0.12345"))
        from_sql = client.get("/order/ORD-20260214-001").content
        assert StoreRecord.objects.filter(key="orderStatus:ORD-20260214-001").exists()
        Order.objects.all().update(symbol="NOT FROM HERE")
        assert client.get("/order/ORD-20260214-001").content == from_sql

    def test_a_miss_asks_the_order_book_once_and_refills_the_cache(self, client, django_assert_num_queries):
        order_in_book()
        with django_assert_num_queries(3) as queries:
            client.get("/order/ORD-20260214-001")
        assert sum('FROM "orders"' in query["sql"] for query in queries.captured_queries) == 1

    def test_a_hit_does_not_ask_the_order_book(self, client, django_assert_num_queries):
        status_cache.from_settings().put(order_in_book())
        with django_assert_num_queries(1) as queries:
            assert client.get("/order/ORD-20260214-001").status_code == 200
        assert "store_records" in queries.captured_queries[0]["sql"]

    @pytest.mark.parametrize("seconds", [-120, 3600], ids=["old", "dated in the future"])
    def test_such_a_copy_of_an_order_that_may_still_change_is_not_believed(self, client, seconds):
        status_cache.from_settings().put(order_in_book())
        record = StoreRecord.objects.get()
        record.bins["written_at"] += seconds
        record.save()
        Order.objects.update(status=Status.CANCELED, version=2)
        assert client.get("/order/ORD-20260214-001").json()["status"] == "CANCELED"

    def test_without_the_store_sql_answers(self, client, monkeypatch):
        def unavailable(statement: str, parameters: Any) -> Any:
            raise OperationalError("no store")

        monkeypatch.setattr("orders.status_cache.run_in_django", unavailable)
        order_in_book()
        assert client.get("/order/ORD-20260214-001").json()["status"] == "PLACED"

    def test_an_unknown_order_is_a_404_that_names_it(self, client):
        document = problem_of(client.get("/order/ORD-404"), 404)
        assert "ORD-404" in document["detail"]

    @pytest.mark.parametrize(
        "order_id",
        ["A" * 65, "a%20b", "a%00b", "a%0A", "%F0%9F%92%A9", "a;b", "a,b", "a%25", "a%2Fb", "'or'1"],
    )
    def test_what_cannot_be_an_order_id_is_a_404_without_asking_sql(
        self, client, order_id, django_assert_num_queries
    ):
        with django_assert_num_queries(0):
            problem_of(client.get(f"/order/{order_id}"), 404)

    @pytest.mark.parametrize("order_id", ["A" * 64, "a.b", "a_b", "a:b-c", "0"])
    def test_whatever_may_be_an_order_id_is_looked_up(self, client, order_id):
        order_in_book(order_id)
        assert client.get(f"/order/{order_id}").json()["orderId"] == order_id

    def test_head_is_answered_without_a_body(self, client):
        order_in_book()
        response = client.head("/order/ORD-20260214-001")
        assert (response.status_code, response.content) == (200, b"")

    def test_a_slash_at_the_end_is_another_path(self, client):
        order_in_book()
        problem_of(client.get("/order/ORD-20260214-001/"), 404)

    def test_no_cache_on_the_way_may_keep_a_status(self, client):
        order_in_book()
        assert "no-store" in client.get("/order/ORD-20260214-001")["Cache-Control"]

    @pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "post"])
    def test_it_can_only_be_read(self, client, method):
        order_in_book()
        response = getattr(client, method)("/order/ORD-20260214-001")
        problem_of(response, 405)
        assert "GET" in response["Allow"]


class TestCreation:
    def test_a_new_order_is_written_and_waits_to_be_routed(self, as_trader):
        response = post(as_trader, NEW)
        assert response.status_code == 201
        assert response["Location"] == "/order/TEST-001"
        document = json.loads(response.content, parse_float=str)
        assert list(document) == KEYS
        assert (document["status"], document["price"], document["quantity"]) == ("PLACED", "420.00", 50)
        order = Order.objects.get()
        assert (order.status, order.claim, order.version) == (Status.PLACED, None, 1)
        assert re.fullmatch(r"api:[0-9a-f-]{36}", order.message_id)
        event = OrderEvent.objects.get()
        assert (event.sequence, event.event, event.actor) == (1, Event.PLACED, "trader")

    def test_what_was_created_can_be_read_at_its_location(self, as_trader):
        response = post(as_trader, NEW)
        assert as_trader.get(response["Location"]).content == response.content

    def test_without_a_time_the_order_is_of_now(self, as_trader):
        before = datetime.now(UTC)
        post(as_trader, NEW)
        assert before <= Order.objects.get().created_at <= datetime.now(UTC)

    def test_what_this_service_does_not_know_is_kept(self, as_trader):
        post(as_trader, NEW[:-1] + ', "counterparty": "ACME", "desk": {"id": 7}}')
        order = Order.objects.get()
        assert order.counterparty == "ACME"
        assert json.loads(order.extra) == {"desk": {"id": 7}}

    def test_the_same_order_again_is_answered_with_its_status_and_changes_nothing(self, as_trader):
        post(as_trader, NEW)
        again = post(
            as_trader, '{"price": 420, "side":"SELL","symbol":"MSFT","quantity":50.0,"orderId":"TEST-001"}'
        )
        assert again.status_code == 200
        assert again.json()["orderId"] == "TEST-001"
        assert OrderEvent.objects.count() == 1

    def test_the_same_order_again_after_its_routing_says_that_it_is_routed(self, as_trader):
        post(as_trader, NEW)
        Order.objects.update(status=Status.ROUTED, route="NYSE", routed_at=CREATED_AT, version=2)
        assert post(as_trader, NEW).json()["route"] == "NYSE"

    def test_another_order_of_a_known_id_is_a_conflict_and_changes_nothing(self, as_trader):
        post(as_trader, NEW)
        document = problem_of(post(as_trader, NEW.replace("50", "51")), 409)
        assert "TEST-001" in document["detail"]
        assert Order.objects.get().quantity == 50

    @pytest.mark.parametrize(
        ("body", "field", "says"),
        [
            (NEW.replace("420.00", "-1"), "price", "-1"),
            (NEW.replace("50", '"fifty"'), "quantity", "fifty"),
            (NEW.replace('"side": "SELL", ', ""), "side", "BUY"),
            (NEW.replace("SELL", "HOLD"), "side", "HOLD"),
            (NEW.replace("TEST-001", "no spaces"), "orderId", "no spaces"),
            ("{", "", ""),
            ("", "", ""),
            ("[]", "", ""),
            (b"\xff\xfe", "", ""),
            (NEW.replace("420.00", "NaN"), "", ""),
            (NEW.replace("MSFT", "a\\u0000b"), "symbol", ""),
            (NEW.replace("MSFT", "\\ud800"), "", ""),
        ],
    )
    def test_an_invalid_order_is_refused_naming_the_field_and_what_it_holds(
        self, as_trader, body, field, says
    ):
        document = problem_of(post(as_trader, body), 400)
        assert document["field"].startswith(field)
        assert field in document["detail"]
        assert says in document["detail"]
        assert not Order.objects.exists()

    @pytest.mark.parametrize("size", [300_000, 3_000_000])
    def test_a_body_larger_than_any_order_is_a_413(self, as_trader, size):
        problem_of(post(as_trader, NEW[:-1] + f', "note": "{"x" * size}"}}'), 413)

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
    )
    def test_another_content_type_is_a_415(self, as_trader, content_type):
        document = problem_of(post(as_trader, NEW, content_type), 415)
        assert "application/json" in document["detail"]

    def test_a_form_of_many_parts_is_a_415(self, as_trader):
        problem_of(as_trader.post("/order", {"orderId": "TEST-001"}), 415)

    def test_a_charset_of_utf_8_is_fine(self, as_trader):
        assert post(as_trader, NEW, 'application/json; charset="UTF-8"').status_code == 201

    def test_a_body_of_unknown_length_is_a_411(self, as_trader):
        problem_of(post(as_trader, NEW, headers={"Transfer-Encoding": "chunked"}), 411)

    def test_a_stranger_is_asked_who_he_is(self, client):
        response = post(client, NEW)
        problem_of(response, 401)
        assert response["WWW-Authenticate"] == 'Bearer realm="order-entry", Basic realm="order-entry"'
        assert not Order.objects.exists()

    def test_a_wrong_password_is_a_401(self, client, trader):
        problem_of(post(client, NEW, headers=basic("trader", "wrong")), 401)

    def test_name_and_password_will_do(self, client, trader):
        trader.set_password(LONG_ENOUGH)
        trader.save()
        assert post(client, NEW, headers=basic("trader", LONG_ENOUGH)).status_code == 201

    def test_someone_without_the_permission_is_refused(self, as_reader):
        problem_of(post(as_reader, NEW), 403)
        assert not Order.objects.exists()

    def test_a_page_elsewhere_cannot_use_a_session(self, trader):
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(trader)
        problem_of(post(browser, NEW), 403)

    def test_without_sql_the_answer_is_to_come_back_later(self, as_trader, monkeypatch):
        def down(*args: Any, **kwargs: Any) -> Any:
            raise OperationalError("connection to server at 10.0.0.7 failed: password of order_entry")

        monkeypatch.setattr("orders.api.views.book.enter", down)
        response = post(as_trader, NEW)
        document = problem_of(response, 503)
        assert response["Retry-After"]
        assert "10.0.0.7" not in json.dumps(document)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


class TestList:
    def test_a_stranger_may_not_list(self, client):
        problem_of(client.get("/order"), 401)

    def test_orders_come_newest_first_in_their_richer_form(self, as_reader):
        routed_order("OLD", counterparty="ACME")
        parked_order("NEW", created_at=CREATED_AT + timedelta(seconds=1))
        response = as_reader.get("/order")
        new, old = response.json()["results"]
        assert (new["orderId"], new["needs_review"], new["review_reason"]) == (
            "NEW",
            True,
            "the router refused it",
        )
        assert (old["orderId"], old["counterparty"], old["version"]) == ("OLD", "ACME", 2)
        assert {"updated_at", *KEYS} <= set(old)

    def test_its_numbers_and_times_are_in_the_spec_s_form(self, as_reader):
        routed_order(quantity=Decimal("0.5"))
        text = as_reader.get("/order").content.decode()
        assert '"quantity":0.5,"price":145.50,' in text
        assert '"created_at":"2026-02-14T10:30:45Z","routed_at":"2026-02-14T10:30:48Z"' in text

    def test_an_empty_book_is_an_empty_page(self, as_reader):
        assert as_reader.get("/order").json() == {"next": None, "previous": None, "results": []}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("status=ROUTED", {"R"}),
            ("status=PENDING_ROUTE", {"P"}),
            ("needs_review=true", {"P"}),
            ("needs_review=false", {"R", "N"}),
            ("counterparty=ACME", {"R", "P"}),
            ("symbol=MSFT", {"N"}),
            ("counterparty=ACME&status=ROUTED", {"R"}),
            ("symbol=NOTHING", set()),
        ],
    )
    def test_filters_choose(self, as_reader, query, expected):
        routed_order("R", counterparty="ACME")
        parked_order("P", counterparty="ACME")
        order_in_book("N", symbol="MSFT")
        assert {order["orderId"] for order in as_reader.get(f"/order?{query}").json()["results"]} == expected

    @pytest.mark.parametrize(
        ("query", "field", "says"),
        [
            ("status=LOST", "status", "PENDING_ROUTE"),
            ("needs_review=perhaps", "needs_review", "true nor false"),
            ("statsu=ROUTED", "statsu", "status"),
            ("symbol=" + "x" * 33, "symbol", "32"),
            ("symbol=%00", "symbol", "printable"),
            ("symbol=%20AAPL", "symbol", "white space"),
            ("limit=many", "limit", "1 to 1000"),
            ("limit=0", "limit", "1 to 1000"),
            ("limit=1001", "limit", "1 to 1000"),
            ("status=", "status", "PLACED"),
        ],
    )
    def test_a_filter_that_cannot_be_is_refused_with_what_can(self, as_reader, query, field, says):
        document = problem_of(as_reader.get(f"/order?{query}"), 400)
        assert [error["field"] for error in document["errors"]] == [field]
        assert says in document["errors"][0]["detail"]

    @pytest.mark.parametrize(
        "cursor",
        [
            "%F0%9F%92%A9",
            *(
                base64.b64encode(f"p={time}".encode()).decode()
                for time in ("yesterday", "2026-02-31T00:00:00Z")
            ),
        ],
    )
    def test_a_cursor_of_nowhere_leads_nowhere(self, as_reader, cursor):
        problem_of(as_reader.get(f"/order?cursor={cursor}"), 404)

    def test_an_absurd_offset_in_a_cursor_finds_nothing(self, as_reader):
        order_in_book()
        cursor = base64.b64encode(b"o=999999999999999999999999").decode()
        assert as_reader.get(f"/order?cursor={cursor}").json()["results"] == []

    def test_pages_show_each_order_once_though_thousands_have_the_same_time(self, as_reader):
        template = order_in_book("T-0000")
        rows = []
        for number in range(1, 2500):
            template.pk = f"T-{number:04}"
            rows.append(
                Order(**{field.attname: getattr(template, field.attname) for field in Order._meta.fields})
            )
        Order.objects.bulk_create(rows)
        seen, url = [], "/order?limit=400"
        while url:
            page = as_reader.get(url).json()
            seen += [order["orderId"] for order in page["results"]]
            url = page["next"]
        assert seen == [f"T-{number:04}" for number in range(2500)]

    def test_an_order_that_arrives_meanwhile_moves_no_page(self, as_reader):
        for number in range(4):
            order_in_book(f"T-{number}", created_at=CREATED_AT + timedelta(seconds=number))
        first = as_reader.get("/order?limit=2").json()
        order_in_book("LATER", created_at=CREATED_AT + timedelta(minutes=1))
        second = as_reader.get(first["next"]).json()
        assert [order["orderId"] for order in first["results"] + second["results"]] == [
            "T-3",
            "T-2",
            "T-1",
            "T-0",
        ]

    def test_a_page_is_one_query_however_many_orders_it_has(self, as_reader, django_assert_num_queries):
        for number in range(5):
            routed_order(f"T-{number}")
        as_reader.get("/order")  # notes that the session is used, which the next minute's requests do not
        with django_assert_num_queries(5):  # session, user, permissions of the user and of groups, orders
            as_reader.get("/order")


class TestHistory:
    def test_events_say_what_happened_in_its_order(self, as_reader):
        parked_order()
        events = as_reader.get("/order/ORD-20260214-001/events").json()
        assert [(event["sequence"], event["event"]) for event in events] == [
            (1, "PLACED"),
            (2, "PENDING_ROUTE"),
            (3, "REVIEW_REQUIRED"),
        ]
        assert set(events[0]) == {"sequence", "event", "actor", "reason", "at"}

    @pytest.mark.parametrize("what", ["events", "routes"])
    def test_of_an_unknown_order_there_is_no_history(self, as_reader, what):
        problem_of(as_reader.get(f"/order/ORD-404/{what}"), 404)

    @pytest.mark.parametrize("what", ["events", "routes"])
    def test_history_is_not_for_strangers(self, client, what):
        order_in_book()
        problem_of(client.get(f"/order/ORD-20260214-001/{what}"), 401)

    def test_an_order_never_tried_has_no_routes(self, as_reader):
        order_in_book()
        assert as_reader.get("/order/ORD-20260214-001/routes").json() == []

    def test_routes_say_each_attempt_and_decision(self, as_reader):
        order = routed_order(attempts=2)
        order.routes.create(
            id="11111111-1111-1111-1111-111111111111",
            attempt=2,
            outcome="MANUAL",
            route="NYSE",
            decided_by="anna",
            reason="client asked",
        )
        order.routes.create(
            id="22222222-2222-2222-2222-222222222222",
            attempt=1,
            outcome="UNREACHABLE",
            decided_by="router",
            latency_ms=3.25,
            error="refused",
        )
        first, second = as_reader.get("/order/ORD-20260214-001/routes").json()
        assert (first["attempt"], first["outcome"], first["latency_ms"], first["route"]) == (
            1,
            "UNREACHABLE",
            3.25,
            None,
        )
        assert (second["route"], second["decided_by"], second["reason"]) == ("NYSE", "anna", "client asked")


class TestOtherAnswers:
    @pytest.mark.parametrize(
        "path", ["/order/", "/orders", "/order/A/nothing", "/nothing", "/health/", "/static/nothing.css"]
    )
    def test_a_wrong_path_is_a_problem_document(self, client, path):
        problem_of(client.get(path), 404)

    def test_a_type_nobody_here_speaks_is_a_406(self, as_reader):
        problem_of(as_reader.get("/order", headers={"Accept": "text/csv"}), 406)

    def test_a_host_that_is_not_ours_is_a_400(self, client):
        problem_of(client.get("/order/A", headers={"Host": "evil.example"}), 400)

    def test_the_service_s_own_name_is_a_host(self, client):
        order_in_book()
        assert client.get("/order/ORD-20260214-001", headers={"Host": "order-entry:8081"}).status_code == 200

    def test_what_nobody_foresaw_is_a_500_that_tells_nothing(self, client, monkeypatch):
        def broken(order_id: str) -> str:
            raise RuntimeError("secret innards")

        monkeypatch.setattr(selectors, "api_document", broken)
        client.raise_request_exception = False
        response = client.get("/order/A")
        problem_of(response, 500)
        assert b"innards" not in response.content

    def test_the_console_has_pages_for_people_instead(self, admin_client):
        response = admin_client.get("/admin/nothing/")
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")

    def test_the_root_leads_to_the_console(self, client):
        assert client.get("/")["Location"] == "/admin/"

    def test_the_openapi_document_describes_every_path(self, client):
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

    def test_the_documentation_page_needs_nobody_else_s_server(self, client):
        page = client.get("/docs").content.decode()
        assert re.findall(r'(?:src|href)="(https?:[^"]+)"', page) == []
        assert "/static/drf_spectacular_sidecar/" in page


def test_an_order_that_is_being_routed_can_be_read_like_any_other(client):
    order_in_book(**claimed())
    assert client.get("/order/ORD-20260214-001").json()["status"] == "PLACED"
