"""Operations on orders over REST: done once, refused with the reason, in the caller's name."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orders.lifecycle import Status, in_words
from orders.models import KeptAnswer, Order, OrderEvent
from routing.models import OrderRoute, RouteApproval
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.integration.orders.api import conftest as callers
from tests.integration.orders.api.conftest import basic, bearing, problem_of, token

pytestmark = pytest.mark.django_db

_nobody_has_called_yet = callers._nobody_has_called_yet
configure = callers.configure
OPERATIONS = {
    "route": "route_order",
    "retry": "retry_order",
    "cancel": "cancel_order",
    "execution": "execute_order",
    "clear-review": "review_order",
}
WHY = {"reason": "client asked"}


@pytest.fixture
def desk() -> Client:
    return bearing("operate")


def post(client: Client, order_id: str, operation: str, body: Any = WHY, **headers: str) -> Any:
    if operation == "route" and body is WHY:
        body = {"route": "NYSE", **WHY}
    return client.post(
        f"/order/{order_id}/{operation}", body, content_type="application/json", headers=headers
    )


def story(order_id: str = "P-1") -> list[str]:
    return list(
        OrderEvent.objects.filter(order=order_id).order_by("sequence").values_list("event", flat=True)
    )


@pytest.mark.parametrize(
    ("operation", "status", "needs_review"),
    [
        ("route", "ROUTED", False),
        ("retry", "PENDING_ROUTE", False),
        ("cancel", "CANCELED", False),
        ("clear-review", "PENDING_ROUTE", False),
    ],
)
def test_an_operation_is_done_and_answered_with_the_order_as_it_is_then(
    desk, operation, status, needs_review
):
    parked_order("P-1")
    answer = post(desk, "P-1", operation)
    assert answer.status_code == 200
    document = answer.json()
    assert (document["orderId"], document["status"], document["needs_review"]) == (
        "P-1",
        status,
        needs_review,
    )
    assert b'"price":145.50' in answer.content
    last = OrderEvent.objects.order_by("-sequence").first()
    assert (last.actor.partition(" ")[0], last.reason) == ("desk-tool", "client asked")


def test_a_route_by_hand_goes_where_it_was_sent(desk):
    parked_order("P-1")
    assert post(desk, "P-1", "route", {"route": "LSE", **WHY}).json()["route"] == "LSE"
    assert OrderRoute.objects.get().outcome == "MANUAL"


@pytest.mark.parametrize(("operation", "status"), [("cancel", "CANCELED"), ("execution", "EXECUTED")])
def test_the_ends_of_an_order_are_accepted_again_and_told_once(desk, operation, status):
    routed_order("R-1")
    for _ in range(2):
        answer = post(desk, "R-1", operation)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert story("R-1") == ["PLACED", "ROUTED", status]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"reason": ""}'])
def test_an_execution_needs_no_reason(desk, body):
    routed_order("R-1")
    answer = desk.generic("POST", "/order/R-1/execution", body, content_type="application/json")
    assert (answer.status_code, answer.json()["status"]) == (200, "EXECUTED")


@pytest.mark.parametrize(
    ("before", "operation"),
    [
        ("PLACED", "execution"),
        ("PLACED", "retry"),
        ("PLACED", "clear-review"),
        ("PENDING_ROUTE", "execution"),
        ("ROUTED", "route"),
        ("ROUTED", "retry"),
        ("EXECUTED", "cancel"),
        ("EXECUTED", "route"),
        ("CANCELED", "execution"),
        ("CANCELED", "route"),
        ("CANCELED", "retry"),
    ],
)
def test_an_illegal_transition_is_a_conflict_and_changes_nothing(desk, before, operation):
    if before in {"ROUTED", "EXECUTED"}:
        routed_order("P-1", status=before)
    else:
        order_in_book("P-1", status=before, due_at=timezone.now())
    told = story()
    problem = problem_of(post(desk, "P-1", operation), 409)
    assert (
        f"P-1 is {in_words(before)}" in problem["detail"] or "does not wait for a review" in problem["detail"]
    )
    assert Order.objects.get().status == before
    assert story() == told


@pytest.mark.parametrize("operation", ["route", "cancel", "retry", "clear-review"])
def test_while_the_machine_routes_an_order_it_is_said_until_when(desk, operation):
    parked_order("P-1", **claimed(30))
    answer = post(desk, "P-1", operation)
    problem = problem_of(answer, 409)
    until = parse_datetime(problem["claimed_until"])
    assert abs((until - Order.objects.get().claimed_until).total_seconds()) < 0.001
    assert 25 <= int(answer["Retry-After"]) <= 30
    assert len(story()) == 3


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_order_that_is_not_there_is_not_found(desk, operation):
    assert "ORD-404" in problem_of(post(desk, "ORD-404", operation), 404)["detail"]


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("route", {"reason": "r"}, "route"),
        ("route", {"route": "NYSE"}, "reason"),
        ("route", {"route": "A\nB", "reason": "r"}, "route"),
        ("route", {"route": " ", "reason": "r"}, "route"),
        ("route", {"route": "LSE ", "reason": "r"}, "route"),
        ("route", {"route": "x" * 256, "reason": "r"}, "route"),
        ("route", {"route": 7, "reason": ["r"]}, "reason"),
        ("cancel", {}, "reason"),
        ("cancel", {"reason": "  "}, "reason"),
        ("cancel", {"reason": "r" * 1001}, "reason"),
        ("cancel", {"reason": None}, "reason"),
        ("cancel", {"reasn": "r"}, "reasn"),
        ("execution", {"at": "now"}, "at"),
    ],
)
def test_a_body_that_says_something_else_is_refused_by_field(desk, operation, body, field):
    parked_order("P-1")
    problem = problem_of(post(desk, "P-1", operation, body), 400)
    assert field in {error["field"] for error in problem["errors"]}
    assert len(story()) == 3


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b" ", "is empty"),
        (b'{"reason"}', "not JSON"),
        (b"[]", "object"),
        (b'{"reason": "a", "reason": "b"}', "twice"),
        (b'{"reason": NaN}', "NaN"),
        (b'{"reason": "\\u0000"}', "NUL"),
        (b"[" * 30_000, "deep"),
        (b"\xff", "UTF-8"),
    ],
)
def test_a_body_that_is_no_exact_json_object_is_refused(desk, body, says):
    parked_order("P-1")
    answer = desk.post("/order/P-1/cancel", body, content_type="application/json")
    assert says in problem_of(answer, 400)["detail"]


def test_a_body_of_another_kind_is_refused(desk):
    parked_order("P-1")
    problem_of(desk.post("/order/P-1/cancel", {"reason": "r"}), 415)
    assert Order.objects.get().status == Status.PENDING_ROUTE


class TestPermissions:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_strangers_and_those_who_only_read_are_refused(self, client, operation):
        parked_order("P-1")
        problem_of(post(client, "P-1", operation), 401)
        assert problem_of(post(bearing("read", "create"), "P-1", operation), 403)["scope"] == "operate"
        assert len(story()) == 3

    @pytest.mark.parametrize(("operation", "permission"), OPERATIONS.items())
    def test_people_need_the_console_s_permission(self, client, operation, permission):
        routed_order("P-1") if operation == "execution" else parked_order("P-1")
        others = {"route_order", *OPERATIONS.values()} - {permission}
        callers.person("otto", *others)
        refused = post(client, "P-1", operation, **basic("otto"))
        assert problem_of(refused, 403)
        callers.person("ida", "route_order", permission)
        assert post(client, "P-1", operation, **basic("ida")).status_code == 200
        assert OrderEvent.objects.order_by("-sequence").first().actor == "ida"

    def test_a_token_never_does_more_than_its_owner_may(self):
        parked_order("P-1")
        owner = callers.person("ida", "route_order")
        client = bearing("operate", owner=owner)
        assert "routing.cancel_order" in problem_of(post(client, "P-1", "cancel"), 403)["detail"]
        assert post(client, "P-1", "route").status_code == 200

    def test_a_session_needs_its_csrf_token(self):
        parked_order("P-1")
        client = Client(enforce_csrf_checks=True)
        client.force_login(callers.person("ida", "route_order"))
        problem_of(post(client, "P-1", "route"), 403)
        assert Order.objects.get().status == Status.PENDING_ROUTE


class TestIdempotencyKey:
    def test_a_request_sent_again_is_answered_the_same_and_done_once(self, desk):
        parked_order("P-1")
        first = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
        again = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
        assert (
            (first.status_code, first.content) == (again.status_code, again.content) == (200, first.content)
        )
        assert again["Content-Type"] == first["Content-Type"]
        assert story()[3:] == ["REVIEW_CLEARED", "ROUTED"]

    def test_without_a_key_the_second_is_a_conflict(self, desk):
        parked_order("P-1")
        post(desk, "P-1", "route")
        problem_of(post(desk, "P-1", "route"), 409)

    @pytest.mark.parametrize(
        ("order_id", "operation", "body"),
        [
            ("P-1", "retry", {"reason": "another"}),
            ("P-2", "retry", WHY),
            ("P-1", "cancel", WHY),
        ],
    )
    def test_another_request_takes_another_key(self, desk, order_id, operation, body):
        parked_order("P-1")
        parked_order("P-2")
        post(desk, "P-1", "retry", **{"Idempotency-Key": "k-1"})
        before = list(Order.objects.values_list("pk", "version", "status").order_by("pk"))
        problem_of(post(desk, order_id, operation, body, **{"Idempotency-Key": "k-1"}), 422)
        assert list(Order.objects.values_list("pk", "version", "status").order_by("pk")) == before

    def test_keys_of_two_callers_are_two(self, desk):
        parked_order("P-1")
        post(desk, "P-1", "retry", **{"Idempotency-Key": "k-1"})
        other = bearing("operate", name="other-tool")
        assert post(other, "P-1", "cancel", **{"Idempotency-Key": "k-1"}).status_code == 200

    def test_a_refusal_is_not_kept(self, desk):
        parked_order("P-1", **claimed(30))
        problem_of(post(desk, "P-1", "cancel", **{"Idempotency-Key": "k-1"}), 409)
        assert not KeptAnswer.objects.exists()
        Order.objects.update(claim=None, claimed_until=None)
        assert post(desk, "P-1", "cancel", **{"Idempotency-Key": "k-1"}).status_code == 200

    def test_a_key_is_forgotten_after_a_day_and_its_row_with_it(self, desk):
        for number in range(3):
            parked_order(f"P-{number}")
            post(desk, f"P-{number}", "retry", **{"Idempotency-Key": f"k-{number}"})
        assert KeptAnswer.objects.filter(expires_at__gt=timezone.now() + timedelta(hours=23)).count() == 3
        KeptAnswer.objects.update(expires_at=timezone.now())
        assert post(desk, "P-0", "cancel", **{"Idempotency-Key": "k-0"}).json()["status"] == "CANCELED"
        assert KeptAnswer.objects.count() == 1

    @pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
    def test_a_key_that_is_none_is_refused(self, desk, key):
        parked_order("P-1")
        problem_of(post(desk, "P-1", "cancel", **{"Idempotency-Key": key}), 400)
        assert len(story()) == 3

    @pytest.mark.django_db(transaction=True)
    def test_of_many_requests_with_one_key_at_once_one_is_done_and_all_are_answered_the_same(self):
        parked_order("P-1")
        headers = callers.bearer(token("operate")[1])

        def send(_):
            try:
                return post(Client(headers=headers), "P-1", "route", **{"Idempotency-Key": "k-1"})
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(send, range(6)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
        assert OrderRoute.objects.count() == 1


class TestFourEyes:
    @pytest.fixture(autouse=True)
    def _limit(self, configure):
        configure("console", four_eyes_above=Decimal(1000))

    def test_a_large_route_is_accepted_for_a_second_person(self, client, desk):
        parked_order("P-1")
        answer = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
        assert answer.status_code == 202
        again = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
        assert (again.content, again["Location"]) == (answer.content, answer["Location"])
        assert Order.objects.get().status == Status.PENDING_ROUTE
        assert RouteApproval.objects.count() == 1

        reader = bearing("read", name="reader")
        shown = reader.get(answer["Location"])
        assert shown.content == answer.content
        assert b'"notional":14550.00' in shown.content
        (listed,) = reader.get("/approval").json()["results"]
        assert listed == shown.json()
        assert (listed["state"], listed["orderId"], listed["route"]) == ("WAITING", "P-1", "NYSE")

        callers.person("bea", "view_order", "approve_route")
        decided = client.post(
            f"{answer['Location']}/approve", WHY, content_type="application/json", headers=basic("bea")
        )
        assert (decided.status_code, decided.json()["state"]) == (200, "APPROVED")
        assert Order.objects.get().route == "NYSE"
        assert "approved by bea" in OrderEvent.objects.order_by("-sequence").first().reason
        assert reader.get("/approval").json()["results"] == []
        again = client.post(
            f"{answer['Location']}/approve", WHY, content_type="application/json", headers=basic("bea")
        )
        assert "was APPROVED by bea already" in problem_of(again, 409)["detail"]

    def test_whose_token_asked_may_not_approve(self, client):
        parked_order("P-1")
        owner = callers.person("ida", "view_order", "route_order", "approve_route")
        location = post(bearing("operate", owner=owner), "P-1", "route")["Location"]
        for decision, status in (("approve", 409), ("decline", 200)):
            answer = client.post(
                f"{location}/{decision}", WHY, content_type="application/json", headers=basic("ida")
            )
            assert answer.status_code == status
        assert Order.objects.get().status == Status.PENDING_ROUTE

    @pytest.mark.parametrize("decision", ["approve", "decline"])
    def test_no_program_decides_and_nobody_without_the_permission(self, client, desk, decision):
        parked_order("P-1")
        location = post(desk, "P-1", "route")["Location"]
        path = f"{location}/{decision}"
        program = bearing("read", "operate", name="other-tool")
        problem_of(program.post(path, WHY, content_type="application/json"), 403)
        callers.person("otto", "view_order", "route_order")
        problem_of(client.post(path, WHY, content_type="application/json", headers=basic("otto")), 403)
        assert RouteApproval.objects.get().decision is None

    @pytest.mark.parametrize("path", ["", "/approve", "/decline"])
    def test_an_approval_that_is_not_there_is_not_found(self, client, path):
        callers.person("bea", "view_order", "approve_route")
        address = f"/approval/11111111-1111-1111-1111-111111111111{path}"
        ask = client.post if path else client.get
        body = {"data": json.dumps(WHY), "content_type": "application/json"} if path else {}
        problem_of(ask(address, **body, headers=basic("bea")), 404)

    def test_an_order_that_waits_already_is_a_conflict(self, desk):
        parked_order("P-1")
        post(desk, "P-1", "route")
        assert "waits for approval already" in problem_of(post(desk, "P-1", "route"), 409)["detail"]


class TestCreationSwitchedOff:
    NEW = '{"orderId": "T-1", "symbol": "X", "side": "BUY", "quantity": 1, "price": 1}'

    def create(self) -> Any:
        return bearing("create").post("/order", self.NEW, content_type="application/json")

    def test_no_order_is_created_and_the_document_does_not_name_it(self, client, configure):
        configure("api", allow_create=False)
        answer = self.create()
        problem_of(answer, 405)
        assert answer["Allow"] == "GET, HEAD, OPTIONS"
        assert not Order.objects.exists()
        assert set(client.get("/openapi.json").json()["paths"]["/order"]) == {"get"}
        assert bearing("read", name="reader").get("/order").status_code == 200

    def test_by_default_orders_are_created(self, client):
        assert self.create().status_code == 201
        assert set(client.get("/openapi.json").json()["paths"]["/order"]) == {"get", "post"}


def test_both_limits_are_off_by_default():
    assert settings.CONFIG.console.four_eyes_above is None
    assert settings.CONFIG.api.allow_create
