import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.backoff import delay

attempts = st.integers(min_value=1, max_value=10**9)
seconds = st.floats(min_value=0.001, max_value=3600)


@given(attempt=attempts, base=seconds, cap=seconds)
def test_a_wait_is_more_than_nothing_and_never_beyond_the_cap(attempt, base, cap):
    assert 0 < delay(attempt, base=base, cap=cap) <= cap


@given(attempt=st.integers(min_value=1, max_value=20), base=seconds)
def test_the_wait_is_drawn_from_the_upper_half_of_a_ceiling_that_doubles(attempt, base):
    ceiling = base * 2 ** (attempt - 1)
    assert ceiling / 2 <= delay(attempt, base=base, cap=1e12) <= ceiling


def test_those_who_failed_together_do_not_come_back_together():
    assert len({delay(3, base=1, cap=60) for _ in range(20)}) > 1


def test_the_same_chance_gives_the_same_wait():
    draws = [delay(4, base=0.1, cap=60, rng=random.Random(7)) for _ in range(2)]  # noqa: S311 - a known chance
    assert draws[0] == draws[1]


@pytest.mark.parametrize("attempt", [0, -1])
def test_an_attempt_that_never_was_is_refused(attempt):
    with pytest.raises(ValueError, match="counts from 1"):
        delay(attempt, base=1, cap=60)
