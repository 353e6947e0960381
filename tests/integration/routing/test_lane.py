"""Statements that wait without holding up the loop, on a real server."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from django.db import connection

from orders.sql import Sql, SqlUnavailable
from routing.lane import Lane

pytestmark = pytest.mark.django_db(transaction=True)

_LOCK = 4711


@pytest.fixture
def lane(reactor):
    """A lane whose statements may take a second."""
    yield from _lane(reactor)


@pytest.fixture
def other(reactor):
    """A second one, on a connection of its own."""
    yield from _lane(reactor)


def _lane(reactor):
    lane = Lane(reactor, Sql(patience=1))
    yield lane
    lane.close()


@pytest.fixture
def hindrance():
    """A lock that statements wait for, until it is lifted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        yield lambda: cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
        cursor.execute("SELECT pg_advisory_unlock_all()")


def hindered(lane):
    """A statement that waits for the hindrance."""
    return lane.sql.run("/* hindered */ SELECT pg_advisory_xact_lock_shared(%(key)s)", {"key": _LOCK})


def open_files():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def one(lane):
    return lane.sql.run("/* one */ SELECT 1", {})


def test_the_loop_serves_others_while_a_statement_is_under_way(reactor, lane, hindrance):
    said = []

    def work():
        said.append("asked")
        hindered(lane)
        said.append("answered")
        reactor.stop()

    lane.soon(work)
    reactor.call_later(0.05, lambda: said.append("served"))
    reactor.call_later(0.1, hindrance)
    reactor.run()
    assert said == ["asked", "served", "answered"]


def test_works_are_done_one_after_the_other_each_once_however_often_asked_for(reactor, lane):
    said = []

    def first():
        said.append("first begins")
        one(lane)
        one(lane)
        said.append("first ends")

    def second():
        said.append("second")
        one(lane)
        lane.soon(reactor.stop)

    for work in (first, first, second, first, second):
        lane.soon(work)
    reactor.run()
    assert said == ["first begins", "first ends", "second"]


def test_a_work_that_is_asked_for_while_it_is_done_is_done_again(reactor, lane):
    times = []

    def work():
        times.append(len(times))
        if len(times) < 3:
            lane.soon(work)
        else:
            reactor.stop()
        one(lane)

    lane.soon(work)
    reactor.run()
    assert times == [0, 1, 2]


def test_a_lane_goes_on_while_another_one_waits(reactor, lane, other, hindrance):
    said = []

    def hindered_work():
        hindered(lane)
        said.append("hindered")
        reactor.stop()

    def free_work():
        one(other)
        said.append("free")
        hindrance()

    lane.soon(hindered_work)
    other.soon(free_work)
    reactor.run()
    assert said == ["free", "hindered"]


def test_rows_errors_and_large_answers_are_those_of_any_statement(reactor, lane):
    seen = []

    def work():
        seen.append(lane.sql.run("/* large */ SELECT repeat('x', 3000000)", {}))
        seen.append(lane.sql.run("/* large */ SELECT length(%(text)s)", {"text": "x" * 3_000_000}))
        with pytest.raises(Exception, match="division by zero"):
            lane.sql.run("/* wrong */ SELECT 1 / %(by)s::int", {"by": 0})
        seen.append(one(lane))
        reactor.stop()

    lane.soon(work)
    reactor.run()
    assert seen == [[("x" * 3_000_000,)], [(3_000_000,)], [(1,)]]


def test_a_statement_without_an_answer_is_given_up_after_the_patience_and_the_next_is_asked_anew(
    reactor, lane, stopped_backend
):
    seen = []

    def work():
        one(lane)
        stopped_backend(lane.sql)
        began = time.monotonic()
        with pytest.raises(SqlUnavailable, match="no answer within"):
            one(lane)
        seen.append(time.monotonic() - began)
        seen.append(one(lane))
        reactor.stop()

    lane.soon(work)
    reactor.run()
    assert 1 <= seen[0] < 2
    assert seen[1] == [(1,)]


@pytest.fixture
def stopped_backend():
    """`stop(sql)`: the process that serves `sql` stands still, until the test ends."""
    stopped = []

    def stop(sql):
        pid = sql.connected().info.backend_pid
        os.kill(pid, 19)
        stopped.append(pid)

    yield stop
    for pid in stopped:
        os.kill(pid, 18)


def test_a_connection_that_ends_during_a_statement_leaves_nothing_watched(reactor, lane, hindrance):
    seen = []

    def work():
        one(lane)
        open_before = open_files()
        pid = lane.sql.connected().info.backend_pid
        reactor.call_later(0.05, lambda: terminate(pid))
        with pytest.raises(SqlUnavailable):
            hindered(lane)
        seen.append(open_files() <= open_before)
        seen.append(one(lane))
        reactor.stop()

    def terminate(pid):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    lane.soon(work)
    reactor.run()
    assert seen == [True, [(1,)]]


def test_an_answer_that_came_while_something_else_held_up_the_loop_is_not_lost(reactor, lane):
    seen = []

    def work():
        reactor.call_later(0, hold_up)
        seen.append(one(lane))
        reactor.stop()

    def hold_up():
        until = time.monotonic() + 1.4
        while time.monotonic() < until:
            time.sleep(0.1)

    lane.soon(work)
    reactor.run()
    assert seen == [[(1,)]]


def test_an_unexpected_error_ends_the_loop(reactor, lane):
    def work():
        one(lane)
        raise LookupError("unexpected")

    lane.soon(work)
    with pytest.raises(LookupError, match="unexpected"):
        reactor.run()


def test_a_lane_that_is_closed_abandons_its_statement(reactor, lane, hindrance):
    said = []

    def work():
        try:
            hindered(lane)
        finally:
            said.append("abandoned")
        said.append("answered")

    lane.soon(work)
    lane.soon(lambda: said.append("next"))
    reactor.call_later(0.1, reactor.stop)
    reactor.run()
    assert lane.busy
    lane.close()
    assert said == ["abandoned"]
    assert not lane.busy
    assert one(lane) == [(1,)]
