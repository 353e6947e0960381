"""What else may happen to a worker while it waits for a statement: it waits because a table is locked."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

PATIENCE = 4.0


@pytest.fixture
def book(database):
    with database.connect() as connection:
        yield connection


@pytest.fixture
def until(worker):
    """`until(condition)`: the worker's loop turns until it holds."""

    def turn(condition):
        overdue = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < overdue, f"not so within {PATIENCE:g} s"
            worker.reactor.call_later(0.002, worker.reactor.stop)
            worker.reactor.run()

    return turn


@pytest.fixture
def locked(database, book, until):
    """`with locked("orders"):` statements that write to the table wait; it is entered when `count` do."""

    @contextmanager
    def lock(table, begin):
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database IS NOT NULL"
        with database.connect() as locker, locker.transaction():
            locker.execute(f"LOCK TABLE {table} IN SHARE MODE")
            begin()
            until(lambda: book.execute(waiting).fetchone() != (0,))
            yield

    return lock


def statuses(book):
    return dict(book.execute("SELECT status, count(*) FROM orders GROUP BY status").fetchall())


def test_orders_are_placed_called_for_and_answered_while_others_are_settled(worker, book, until, locked):
    with locked("order_routes", lambda: worker.deliver("A", 5)):
        worker.deliver("B", 7)
        until(lambda: statuses(book) == {"PLACED": 12})
        until(lambda: worker.dispatcher.free == 100)
    until(worker.done)
    assert statuses(book) == {"ROUTED": 12}
    assert worker.queue.acked == 12
    assert worker.statements == {"place": 2, "settle_routed": 2, "mark_published": 1}


def test_orders_that_a_worker_was_placing_when_told_to_stop_are_free_for_others(worker, book, until, locked):
    with locked("orders", lambda: worker.deliver("A", 5)):
        worker.pipeline.drain()
        worker.dispatcher.drain()
        assert not worker.pipeline.idle
    until(worker.done)
    assert book.execute("SELECT DISTINCT status, claim FROM orders").fetchall() == [("PLACED", None)]
    assert not worker.queue.acked


def test_waiting_orders_that_a_worker_was_claiming_when_told_to_stop_are_free_for_others(
    worker, book, until, locked
):
    worker.take("A", 3)
    book.execute("UPDATE orders SET status = 'PLACED', version = version + 1, route = NULL, routed_at = NULL")
    with locked("orders", lambda: worker.lane.soon(worker.pipeline.sweep)):
        worker.pipeline.drain()
        worker.dispatcher.drain()
        assert not worker.pipeline.idle
    until(worker.done)
    assert worker.statements["claim_due"] == 1
    assert book.execute("SELECT DISTINCT status, claim FROM orders").fetchall() == [("PLACED", None)]


def test_a_redelivered_message_whose_channel_ends_while_its_attempts_are_counted_is_left_to_its_redelivery(
    worker, book, until, locked
):
    with locked("delivery_attempts", lambda: worker.deliver("A", 1, redelivered=True)):
        worker.pipeline.on_down("the broker went away", "IN")
    until(worker.done)
    assert statuses(book) == {}
    worker.deliver("A", 1, redelivered=True)
    until(worker.done)
    assert statuses(book) == {"ROUTED": 1}
    assert worker.queue.acked == 1


def test_a_worker_whose_answers_wait_for_sql_to_come_back_is_not_done(worker, book, until, locked):
    blocked = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND database IS NOT NULL"
    with locked("order_routes", lambda: worker.deliver("A", 3)):
        book.execute(blocked)
        until(lambda: not worker.gate.open)
        assert not worker.pipeline.idle
    until(worker.done)
    assert statuses(book) == {"ROUTED": 3}
    assert worker.queue.acked == 3
