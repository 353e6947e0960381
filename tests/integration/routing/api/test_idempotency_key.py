"""`Idempotency-Key` on operations: what is sent again is done once and answered the same."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import KeptAnswer, Order
from routing.models import OrderRoute
from tests.at_once import at_once
from tests.book_rows import claimed, parked_order
from tests.callers import bearer, bearing, problem_of, token
from tests.integration.routing.api.requests import WHY, post, story

pytestmark = pytest.mark.django_db


def test_a_request_sent_again_is_answered_the_same_and_done_once(desk):
    parked_order("P-1")
    first = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
    again = post(desk, "P-1", "route", **{"Idempotency-Key": "k-1"})
    assert (first.status_code, first.content) == (again.status_code, again.content) == (200, first.content)
    assert again["Content-Type"] == first["Content-Type"]
    assert story()[3:] == ["REVIEW_CLEARED", "ROUTED"]


def test_without_a_key_the_second_is_a_conflict(desk):
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
def test_another_request_takes_another_key(desk, order_id, operation, body):
    parked_order("P-1")
    parked_order("P-2")
    post(desk, "P-1", "retry", **{"Idempotency-Key": "k-1"})
    before = list(Order.objects.values_list("pk", "version", "status").order_by("pk"))
    problem_of(post(desk, order_id, operation, body, **{"Idempotency-Key": "k-1"}), 422)
    assert list(Order.objects.values_list("pk", "version", "status").order_by("pk")) == before


def test_keys_of_two_callers_are_two(desk):
    parked_order("P-1")
    post(desk, "P-1", "retry", **{"Idempotency-Key": "k-1"})
    other = bearing("operate", name="other-tool")
    assert post(other, "P-1", "cancel", **{"Idempotency-Key": "k-1"}).status_code == 200


def test_a_refusal_is_not_kept(desk):
    parked_order("P-1", **claimed(30))
    problem_of(post(desk, "P-1", "cancel", **{"Idempotency-Key": "k-1"}), 409)
    assert not KeptAnswer.objects.exists()
    Order.objects.update(claim=None, claimed_until=None)
    assert post(desk, "P-1", "cancel", **{"Idempotency-Key": "k-1"}).status_code == 200


def test_a_key_is_forgotten_after_a_day_and_its_row_with_it(desk):
    for number in range(3):
        parked_order(f"P-{number}")
        post(desk, f"P-{number}", "retry", **{"Idempotency-Key": f"k-{number}"})
    assert KeptAnswer.objects.filter(expires_at__gt=timezone.now() + timedelta(hours=23)).count() == 3
    KeptAnswer.objects.update(expires_at=timezone.now())
    assert post(desk, "P-0", "cancel", **{"Idempotency-Key": "k-0"}).json()["status"] == "CANCELED"
    assert KeptAnswer.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
def test_a_key_that_is_none_is_refused(desk, key):
    parked_order("P-1")
    problem_of(post(desk, "P-1", "cancel", **{"Idempotency-Key": key}), 400)
    assert len(story()) == 3


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_key_at_once_one_is_done_and_all_are_answered_the_same():
    parked_order("P-1")
    headers = bearer(token("operate")[1])

    def send(_):
        return post(Client(headers=headers), "P-1", "route", **{"Idempotency-Key": "k-1"})

    answers = at_once(send, range(6))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert OrderRoute.objects.count() == 1
