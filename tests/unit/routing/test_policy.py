"""What follows a failed call."""

import time
from uuid import uuid4

import pytest

from orders.lifecycle import Status
from routing.claims import Claimed
from routing.models import Outcome
from routing.policy import Park, Policy, Retry
from tests.builders import answer, order

POLICY = Policy(timeout=2.0, max_retries=3, honours_idempotency_key=True, base=0.1, cap=300.0)
WARY = Policy(timeout=2.0, max_retries=3, honours_idempotency_key=False, base=0.1, cap=300.0)


def work(*, tries=1, left=30.0, attempts=0, expired=False):
    made = Claimed(
        order(), "m-1", Status.PLACED, uuid4(), time.monotonic() + left, attempts=attempts, expired=expired
    )
    made.tries = tries
    return made


def after(policy, outcome, *, retry_after=None, **state):
    return policy.after(work(**state), answer(outcome, retry_after=retry_after), now=time.monotonic())


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.UNKNOWN])
def test_a_call_that_failed_is_repeated_at_once_three_times(outcome):
    assert [isinstance(after(POLICY, outcome, tries=tries), Retry) for tries in (1, 2, 3, 4)] == [
        True,
        True,
        True,
        False,
    ]


def test_a_router_that_stays_unreachable_leaves_the_order_for_later():
    following = after(POLICY, Outcome.UNREACHABLE, tries=4)
    assert isinstance(following, Park)
    assert following.due_in is not None
    assert 0 < following.due_in <= 300


def test_a_router_that_never_answers_leaves_the_order_to_a_person():
    following = after(POLICY, Outcome.UNKNOWN, tries=4)
    assert isinstance(following, Park)
    assert following.due_in is None
    assert "may have received it" in following.reason


def test_a_refusal_is_never_repeated_and_goes_to_a_person():
    following = after(POLICY, Outcome.REFUSED)
    assert following == Park(None, "the router refused: the router said no")


def test_a_call_that_may_have_been_received_is_not_repeated_to_a_router_that_ignores_the_key():
    assert after(WARY, Outcome.UNKNOWN).due_in is None
    assert isinstance(after(WARY, Outcome.UNREACHABLE), Retry)


def test_the_router_says_how_long_to_wait():
    assert after(POLICY, Outcome.UNREACHABLE, retry_after=1.5).wait >= 1.5


def test_a_longer_wait_than_the_claim_lasts_becomes_the_due_time():
    following = after(POLICY, Outcome.UNREACHABLE, retry_after=120.0)
    assert isinstance(following, Park)
    assert following.due_in >= 120.0


def test_no_call_starts_that_could_outlive_the_claim():
    assert POLICY.before(work(left=1.9), now=time.monotonic()) == Park(
        0.0, "no time was left under the claim"
    )
    assert POLICY.before(work(left=2.5), now=time.monotonic()) is None
    assert isinstance(after(POLICY, Outcome.UNREACHABLE, left=1.0), Park)


def test_an_order_whose_claim_ran_out_is_called_again_only_where_the_key_is_honoured():
    assert POLICY.before(work(expired=True), now=time.monotonic()) is None
    assert WARY.before(work(expired=True), now=time.monotonic()).due_in is None


def test_the_wait_of_a_parked_order_grows_with_its_attempts_up_to_the_cap():
    longest = [max(POLICY.later(work(attempts=n), "x").due_in for _ in range(50)) for n in (0, 8, 16, 4000)]
    assert longest[0] < longest[1] < longest[2] <= longest[3] <= 300


def test_a_wait_that_one_instance_asks_for_is_nothing_to_another():
    busy = answer(Outcome.UNREACHABLE, retry_after=120.0)
    here = POLICY.after(work(), busy, now=time.monotonic())
    elsewhere = POLICY.after(work(), busy, now=time.monotonic(), elsewhere=True)
    assert isinstance(here, Park)
    assert here.due_in is not None
    assert here.due_in >= 120
    assert isinstance(elsewhere, Retry)
    assert elsewhere.wait <= 0.1
