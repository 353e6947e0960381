"""Operations on orders over REST: done once, in the caller's name, or refused with the reason."""

from __future__ import annotations

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orders.lifecycle import Status, in_words
from orders.models import Order, OrderEvent
from routing.models import OrderRoute
from tests.book_rows import claimed, order_in_book, parked_order, routed_order
from tests.callers import problem_of
from tests.integration.routing.api.requests import OPERATIONS, WHY, post, story

pytestmark = pytest.mark.django_db


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
