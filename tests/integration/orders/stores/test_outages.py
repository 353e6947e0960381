"""What becomes of calls to a store that fails, and afterwards; over each store that stands on a network."""

import time

import pytest

from orders.stores.breaker import Breaker
from orders.stores.port import StoreUnavailable
from tests.integration.orders.stores.benches import new_key, record
from tests.waiting import wait_until

TIMEOUT = 0.6
# Beyond the timeout: what a busy machine takes to notice.
SLACK = 0.55

CALLS = {
    "write": lambda store: store.write([record(new_key())]),
    "read": lambda store: store.read([new_key()]),
    "remove": lambda store: store.remove([new_key()]),
    "ping": lambda store: store.ping(),
    "check": lambda store: store.check(),
}
call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def store(outage):
    opened = outage.open(TIMEOUT)
    yield opened
    opened.close()


def fails_in_time(call, store):
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as failure:
        call(store)
    assert time.monotonic() - began < TIMEOUT + SLACK
    assert str(failure.value)


def works(store):
    key = new_key()
    store.write([record(key)])
    assert list(store.read([key])) == [key]


def works_again(store, *, within=5.0):
    """A client may need a moment to find that its server is back; nobody restarts it."""
    wait_until(lambda: works(store) is None, what="it is back", patience=within, despite=(StoreUnavailable,))


@call
def test_a_refused_connection_is_a_failure_in_time(outage, store, call):
    outage.kill()
    fails_in_time(call, store)
    outage.start()
    works_again(store)


@call
def test_a_host_that_does_not_answer_is_a_failure_in_time(unreachable, call):
    fails_in_time(call, unreachable)


@call
def test_a_server_that_hangs_from_the_beginning_is_a_failure_in_time(outage, store, call):
    outage.hang()
    fails_in_time(call, store)
    outage.go_on()
    works_again(store)


@call
def test_a_server_that_hangs_while_connected_is_a_failure_in_time(outage, store, call):
    works(store)
    outage.hang()
    fails_in_time(call, store)
    fails_in_time(call, store)
    outage.go_on()
    works_again(store)


@call
def test_a_server_killed_while_connected_is_a_failure_in_time(outage, store, call):
    works(store)
    outage.kill()
    fails_in_time(call, store)
    fails_in_time(call, store)
    outage.start()
    works_again(store)


def test_a_server_restarted_between_two_calls_costs_at_most_a_moment(outage, store):
    works(store)
    outage.kill()
    outage.start()
    works_again(store)


def test_behind_a_breaker_a_dead_store_costs_its_timeout_once_and_comes_back(outage, store):
    guarded = Breaker(store, first_rest=0.3)
    works(guarded)
    outage.hang()
    with pytest.raises(StoreUnavailable):
        guarded.ping()
    began = time.monotonic()
    for _ in range(1000):
        with pytest.raises(StoreUnavailable):
            guarded.ping()
        if time.monotonic() - began > 0.1:
            break
    assert time.monotonic() - began < 0.2
    outage.go_on()
    works_again(guarded)
    assert guarded.state == "UP"
