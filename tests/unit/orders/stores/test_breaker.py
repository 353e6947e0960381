"""A store that fails is left alone for a while, and says so once."""

import threading

import pytest

from orders.stores import breaker as breaker_module
from orders.stores.breaker import Breaker
from orders.stores.port import RecordsRefused, StoreUnavailable
from tests.clock import Clock


class Scripted:
    """A store whose pings end as told; counts them."""

    name = "scripted"

    def __init__(self):
        self.failure = None
        self.calls = 0

    def ping(self):
        self.calls += 1
        if self.failure:
            raise self.failure


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store():
    return Scripted()


@pytest.fixture
def breaker(store, clock):
    return Breaker(store, first_rest=1, longest_rest=8, clock=clock)


def fail(breaker, match=None):
    with pytest.raises(StoreUnavailable, match=match):
        breaker.ping()


def down(store, breaker, reason="no route"):
    store.failure = StoreUnavailable(reason)
    fail(breaker, reason)


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.name == breaker_module.__name__]


def rest_after_failure(store, breaker, clock):
    """Seconds until the next call reaches the store."""
    began, calls = clock.now, store.calls
    while store.calls == calls:
        clock.now += 0.05
        fail(breaker)
    return clock.now - began


def test_a_store_that_answers_is_up_and_costs_nothing(store, breaker):
    breaker.ping()
    assert (breaker.state, store.calls, breaker.name) == ("UP", 1, "scripted")


def test_after_one_failure_it_is_left_alone_and_each_call_says_why(store, breaker):
    down(store, breaker, "connection refused")
    for _ in range(5):
        fail(breaker, "left alone for now: connection refused")
    assert (breaker.state, store.calls) == ("DOWN", 1)


def test_the_rest_grows_up_to_its_cap_and_is_never_shorter_than_half(store, breaker, clock):
    down(store, breaker)
    rests = [rest_after_failure(store, breaker, clock) for _ in range(7)]
    for rest, ceiling in zip(rests, [1, 2, 4, 8, 8, 8, 8], strict=True):
        assert ceiling / 2 <= rest <= ceiling + 0.1


def test_rests_differ_so_that_many_processes_do_not_come_back_in_step(store, clock):
    rests = set()
    for _ in range(5):
        breaker = Breaker(store, first_rest=1, clock=clock)
        down(store, breaker)
        rests.add(round(breaker._retry_at - clock.now, 6))
    assert len(rests) > 1


def test_a_probe_that_is_answered_ends_it_and_the_next_outage_rests_briefly_again(store, breaker, clock):
    down(store, breaker)
    for _ in range(4):
        rest_after_failure(store, breaker, clock)
    store.failure = None
    clock.now += 8
    breaker.ping()
    assert breaker.state == "UP"
    down(store, breaker)
    assert rest_after_failure(store, breaker, clock) <= 1.1


def test_only_one_call_probes(store, breaker, clock):
    down(store, breaker)
    clock.now += 8
    probing, go_on = threading.Event(), threading.Event()

    def hold():
        probing.set()
        assert go_on.wait(5)

    store.failure = None
    store.ping = hold
    probe = threading.Thread(target=breaker.ping)
    probe.start()
    assert probing.wait(5)
    fail(breaker, "left alone")
    go_on.set()
    probe.join()
    assert breaker.state == "UP"


def test_a_probe_that_ends_in_an_error_of_ours_is_followed_by_another(store, breaker, clock):
    down(store, breaker)
    store.failure = ZeroDivisionError()
    clock.now += 8
    with pytest.raises(ZeroDivisionError):
        breaker.ping()
    store.failure = None
    clock.now += 8
    breaker.ping()
    assert breaker.state == "UP"


def test_failures_of_calls_under_way_together_count_as_one(store, breaker, clock):
    begun = threading.Barrier(5)

    def fail_together():
        begun.wait(5)
        raise StoreUnavailable("gone")

    store.ping = fail_together
    calls = [threading.Thread(target=fail, args=(breaker,)) for _ in range(5)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert breaker._retry_at - clock.now <= 1


def test_each_change_is_logged_once(store, breaker, clock, caplog):
    down(store, breaker, "connection refused")
    for _ in range(3):
        rest_after_failure(store, breaker, clock)
    store.failure = None
    clock.now += 8
    breaker.ping()
    breaker.ping()
    first, second = warnings(caplog)
    assert first == "the scripted store is down, SQL serves meanwhile: connection refused"
    assert second == "the scripted store is up again"


def test_records_refused_are_no_outage_and_are_logged_once_a_minute(store, breaker, clock, caplog):
    store.failure = RecordsRefused("1 of 9 not written: too big")
    for _ in range(3):
        fail(breaker, "too big")
    assert (breaker.state, store.calls) == ("UP", 3)
    assert warnings(caplog) == ["the scripted store refuses records: 1 of 9 not written: too big"]
    clock.now += 61
    fail(breaker)
    assert len(warnings(caplog)) == 2


def test_a_store_that_refuses_records_is_up_again(store, breaker, clock):
    down(store, breaker)
    store.failure = RecordsRefused("too big")
    clock.now += 8
    fail(breaker, "too big")
    assert breaker.state == "UP"


def test_without_rest_each_call_goes_through_and_changes_are_logged_all_the_same(store, clock, caplog):
    breaker = Breaker(store, first_rest=0, clock=clock)
    down(store, breaker)
    down(store, breaker)
    store.failure = None
    breaker.ping()
    assert (store.calls, breaker.state, len(warnings(caplog))) == (3, "UP", 2)
