"""What keeps failing is left alone, probed once, and taken back when it answers."""

from hypothesis import given
from hypothesis import strategies as st

from routing.breaker import Breaker, State


def breaker(failures=3):
    return Breaker(failures=failures, base=1.0, cap=30.0)


def opened(made, *, now=0.0):
    for _ in range(3):
        made.failed(now=now)
    return made


def test_a_breaker_opens_after_so_many_failures_in_a_row():
    made = breaker()
    made.failed(now=0)
    made.failed(now=0)
    made.succeeded()
    made.failed(now=0)
    made.failed(now=0)
    assert made.allows(now=0)
    made.failed(now=0)
    assert not made.allows(now=0)
    assert made.state(now=0) is State.OPEN


def test_when_its_time_is_over_it_allows_one_call_to_see():
    made = opened(breaker())
    later = made.wait(now=0)
    assert 0.5 <= later <= 1.0
    assert made.state(now=later) is State.HALF_OPEN
    assert [made.allows(now=later) for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it():
    made = opened(breaker())
    later = made.wait(now=0)
    made.allows(now=later)
    made.succeeded()
    assert made.state(now=later) is State.CLOSED
    assert made.wait(now=later) == 0


def test_a_probe_that_fails_opens_it_for_longer_up_to_the_cap():
    made, now, waits = opened(breaker()), 0.0, []
    for _ in range(12):
        waits.append(made.wait(now=now))
        now += waits[-1]
        assert made.allows(now=now)
        made.failed(now=now)
    assert waits[0] <= 1 < waits[3]
    assert max(waits) <= 30
    assert waits[-1] >= 15


def test_calls_that_were_out_when_it_opened_do_not_prolong_it():
    made = opened(breaker())
    wait = made.wait(now=0)
    for _ in range(50):
        made.failed(now=0.1)
    assert made.wait(now=0) == wait


@given(st.lists(st.sampled_from(["failed", "succeeded", "allows", "wait"]), max_size=60))
def test_whatever_happens_a_breaker_allows_a_call_again_some_time(steps):
    made, now = breaker(failures=2), 0.0
    for step in steps:
        now += 0.3
        match step:
            case "failed":
                made.failed(now=now)
            case "succeeded":
                made.succeeded()
            case "allows":
                if made.allows(now=now):
                    made.succeeded()
            case "wait":
                now += made.wait(now=now)
    assert made.allows(now=now + 60)
