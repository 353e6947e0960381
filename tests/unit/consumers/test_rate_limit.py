"""The rate at which an instance takes messages."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.rate_limit import RateLimit


@given(
    st.floats(0.5, 20_000),
    st.lists(st.tuples(st.floats(0, 2), st.integers(0, 500)), max_size=60),
)
def test_never_more_is_taken_than_the_rate_and_one_burst(rate, turns):
    limit = RateLimit(rate, now=0.0)
    now, taken = 0.0, 0
    for pause, wanted in turns:
        now += pause
        count = min(wanted, limit.room(now=now))
        limit.took(count)
        taken += count
        assert taken <= rate * now + max(1.0, rate / 4) + 1e-6


def test_a_taker_that_always_wants_more_gets_the_rate():
    limit = RateLimit(1000, now=0.0)
    now, taken = 0.0, 0
    while now < 10:
        room = limit.room(now=now)
        limit.took(room)
        taken += room
        now += limit.wait
    assert 9_900 <= taken <= 10_260


def test_after_the_wait_one_may_be_taken():
    limit = RateLimit(2, now=0.0)
    limit.took(limit.room(now=0.0))
    assert limit.room(now=0.1) == 0
    assert limit.room(now=0.1 + limit.wait + 1e-9) == 1
