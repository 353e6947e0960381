"""A rate lets so many through at once, and then one at a time at its pace."""

from __future__ import annotations

import os
import threading

import pytest

from orders.api import rates
from orders.api.rates import Rate, Turns


class Clock:
    def __init__(self, monkeypatch):
        self.now = 1_000_000.0
        monkeypatch.setattr(rates.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def taken(turns: Turns, key: str, rate: Rate, tries: int = 1000) -> int:
    return sum(turns.take(key, rate) == 0.0 for _ in range(tries))


@pytest.mark.parametrize("most", [1, 2, 7, 600])
def test_so_many_may_come_at_once_and_no_more(clock, most):
    turns = Turns()
    assert taken(turns, "a", Rate(most, 60.0)) == most


def test_after_that_one_has_to_wait_for_its_part_of_the_time(clock):
    turns, rate = Turns(), Rate(6, 60.0)
    taken(turns, "a", rate)
    assert turns.take("a", rate) == pytest.approx(10.0)
    clock.now += 9.99
    assert turns.take("a", rate) == pytest.approx(0.01)
    clock.now += 0.02
    assert taken(turns, "a", rate) == 1


def test_after_the_whole_time_all_of_them_may_come_again(clock):
    turns, rate = Turns(), Rate(6, 60.0)
    taken(turns, "a", rate)
    clock.now += 60.0
    assert taken(turns, "a", rate) == 6
    clock.now += 1e6
    assert taken(turns, "a", rate) == 6


def test_asking_takes_no_turn(clock):
    turns, rate = Turns(), Rate(1, 60.0)
    assert [turns.wait("a", rate) for _ in range(5)] == [0.0] * 5
    turns.take("a", rate)
    assert turns.wait("a", rate) == pytest.approx(60.0)


def test_one_caller_s_turns_are_not_another_s(clock):
    turns, rate = Turns(1 << 20), Rate(1, 60.0)
    assert sum(turns.take(f"caller {number}", rate) == 0.0 for number in range(100)) == 100


def test_processes_that_are_forked_share_their_turns():
    turns, rate = Turns(), Rate(50, 3600.0)
    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            os._exit(taken(turns, "a", rate, tries=20))
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [20, 20]
    assert taken(turns, "a", rate) == 10


def test_threads_get_no_turn_twice():
    turns, rate, got = Turns(), Rate(500, 3600.0), []
    threads = [
        threading.Thread(target=lambda: got.append(taken(turns, "a", rate, tries=400))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 500


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/s", Rate(10, 1.0)), ("600/min", Rate(600, 60.0)), (" 5000 / h ", Rate(5000, 3600.0))],
)
def test_a_rate_is_written_as_people_do(text, rate):
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/s", "-1/s", "1.5/s", "10/day", "/s", "10/s extra", "1e3/s"])
def test_what_is_no_rate_is_refused_with_what_is(text):
    with pytest.raises(ValueError, match="expected a rate such as 10/s, 600/min or 5000/h"):
        Rate.parse(text)
