"""Which instance of the router a call goes to."""

from __future__ import annotations

from collections import Counter

import pytest
from prometheus_client import REGISTRY

from routing.breaker import Breaker, State
from routing.fleet import Fleet
from routing.registry import Instance

FAILURES = 3


def fleet(*instances):
    made = Fleet(lambda: Breaker(failures=FAILURES, base=1.0, cap=30.0))
    made.update([one if isinstance(one, Instance) else Instance(one) for one in instances], now=0.0)
    return made


def chosen(made, *, now=0.0, calls=1, tried=()):
    return Counter(made.choose(now=now, tried=tried).endpoint for _ in range(calls))


def one_at(made, endpoint):
    return made._targets[endpoint]


def fail(made, endpoint, *, now=0.0):
    for _ in range(FAILURES):
        made.failed(one_at(made, endpoint), now=now)


def test_none_is_chosen_before_any_is_known():
    made = fleet()
    assert (made.choose(now=0), made.known, made.state(now=0)) == (None, False, State.CLOSED)


def test_one_alone_has_all_calls():
    assert chosen(fleet("http://a"), calls=10) == {"http://a": 10}


def test_calls_are_spread_by_weight():
    shares = chosen(fleet(Instance("http://a", 3), Instance("http://b", 1)), calls=4000)
    assert 2800 < shares["http://a"] < 3200


def test_one_without_weight_is_called_only_while_none_with_a_weight_works():
    made = fleet("http://a", Instance("http://spare", 0))
    assert chosen(made, calls=50) == {"http://a": 50}
    fail(made, "http://a")
    assert chosen(made, calls=50) == {"http://spare": 50}


def test_where_none_has_a_weight_all_are_called_alike():
    shares = chosen(fleet(Instance("http://a", 0), Instance("http://b", 0)), calls=1000)
    assert 400 < shares["http://a"] < 600


def test_a_lower_group_is_called_only_when_all_of_the_higher_are_out():
    made = fleet(Instance("http://a"), Instance("http://b"), Instance("http://later", priority=10))
    fail(made, "http://a")
    assert chosen(made, calls=50) == {"http://b": 50}
    fail(made, "http://b")
    assert chosen(made, calls=50) == {"http://later": 50}


def test_what_works_again_is_found_out_by_one_call_and_then_called_again():
    made = fleet(Instance("http://a"), Instance("http://later", priority=10))
    fail(made, "http://a")
    assert chosen(made, now=0.4, calls=5) == {"http://later": 5}
    assert [*chosen(made, now=1.1)] == ["http://a"]
    assert chosen(made, now=1.1, calls=5) == {"http://later": 5}
    made.succeeded(one_at(made, "http://a"), now=1.2)
    assert chosen(made, now=1.2, calls=5) == {"http://a": 5}


def test_a_worse_one_that_failed_is_not_called_only_to_see():
    made = fleet(Instance("http://a"), Instance("http://later", priority=10))
    fail(made, "http://later")
    assert chosen(made, now=100.0, calls=5) == {"http://a": 5}


def test_an_order_that_failed_at_one_goes_to_another_even_of_the_next_group():
    made = fleet(Instance("http://a", 100), Instance("http://b", 0), Instance("http://later", priority=1))
    assert chosen(made, calls=20, tried=["http://a"]) == {"http://b": 20}
    assert chosen(made, calls=20, tried=["http://a", "http://b"]) == {"http://later": 20}
    assert made.has_other(["http://a"])
    assert not made.has_other(["http://a", "http://b", "http://later"])


def test_an_order_that_failed_everywhere_begins_anew_with_the_best():
    made = fleet(Instance("http://a"), Instance("http://later", priority=1))
    assert chosen(made, tried=["http://a", "http://later"]) == {"http://a": 1}


def test_an_order_is_not_sent_to_probe_where_it_failed():
    made = fleet("http://a", "http://b")
    fail(made, "http://a")
    assert chosen(made, now=5.0, calls=5, tried=["http://a"]) == {"http://b": 5}


def test_while_all_are_out_none_is_called_but_to_see():
    made = fleet("http://a", "http://b")
    fail(made, "http://a", now=0.0)
    assert made.state(now=0.0) is State.CLOSED
    fail(made, "http://b", now=0.45)
    assert made.state(now=0.46) is State.OPEN
    assert made.choose(now=0.46) is None
    assert 0.0 < made.wait(now=0.46) < 0.6
    assert made.state(now=2.0) is State.HALF_OPEN
    assert chosen(made, now=2.0, calls=2) == {"http://a": 1, "http://b": 1}
    assert made.choose(now=2.0) is None


def test_one_that_stays_keeps_its_breaker_and_a_new_one_begins_with_its_own():
    made = fleet("http://a", "http://b")
    fail(made, "http://a")
    made.update([Instance("http://a", 7), Instance("http://c")], now=0.1)
    assert chosen(made, now=0.1, calls=5) == {"http://c": 5}
    made.update([Instance("http://b")], now=0.2)
    assert chosen(made, now=0.2, calls=5) == {"http://b": 5}


def test_an_answer_of_one_that_is_gone_meanwhile_changes_nothing():
    made = fleet("http://a", "http://b")
    gone = one_at(made, "http://a")
    made.update([Instance("http://b")], now=0.0)
    for _ in range(FAILURES):
        made.failed(gone, now=0.0)
    assert chosen(made, calls=5) == {"http://b": 5}
    assert made.state(now=0.0) is State.CLOSED


@pytest.fixture
def breaker_of():
    return lambda router: REGISTRY.get_sample_value("router_instance_breaker_open", {"router": router})


def test_each_has_its_own_measures_until_it_is_gone(breaker_of):
    made = fleet("http://one:1", "http://two:2")
    fail(made, "http://one:1", now=1e12)
    assert (breaker_of("one:1"), breaker_of("two:2")) == (1.0, 0.0)
    made.update([Instance("http://two:2")], now=0.0)
    assert (breaker_of("one:1"), breaker_of("two:2")) == (None, 0.0)
