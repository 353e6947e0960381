"""How PostgreSQL goes about the statements of each batch: by key, whatever it believed of the tables at first."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection

from orders import book
from orders.lifecycle import Status
from orders.sql import Sql
from routing import claims, decisions
from routing.claims import Claimed
from routing.decisions import Parking
from routing.models import Outcome
from routing.publications import Publication
from tests.builders import arrival, attempt, far_deadline

pytestmark = pytest.mark.django_db(transaction=True)


class Explained(Sql):
    """Keeps how each statement is carried out."""

    def __init__(self):
        super().__init__(patience=5)
        self.plans = {}

    def run(self, statement, parameters):
        rows = self.connected().execute(f"EXPLAIN {statement}", parameters, prepare=True).fetchall()
        self.plans[statement.split()[1]] = "\n".join(row[0] for row in rows)
        return super().run(statement, parameters)


@pytest.fixture
def explained():
    made = Explained()
    yield made
    made.close()


def batch(sql, prefix, count=20):
    """So many orders, placed and called for."""
    claim = uuid4()
    arrivals = [arrival(f"{prefix}-{number:03}") for number in range(count)]
    book.place(sql, arrivals, claim=claim, hold=30, actor="w")
    return [Claimed(a.order, a.message_id, Status.PLACED, claim, far_deadline()) for a in arrivals]


def settle(sql, works, published=()):
    accepted = [attempt(work) for work in works]
    decisions.settle_routed(sql, accepted, published=published, publish_in=30.0, actor="w")
    return [Publication(each.id, 0.0) for each in accepted]


def work_through(sql):
    """One of each statement that a batch may need."""
    published = settle(sql, batch(sql, "A"))
    settle(sql, batch(sql, "B"), published)
    failed = batch(sql, "C")
    decisions.note_failures(sql, [attempt(work, Outcome.UNREACHABLE) for work in failed], actor="w")
    decisions.park(sql, [Parking(work, 1.0, "away") for work in failed], actor="w")
    claims.release(sql, batch(sql, "D"))


def analyse():
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE orders, order_events, order_routes")


@pytest.mark.parametrize("history", ["tables just emptied", "orders that all are routed"])
def test_a_batch_is_found_by_its_keys(explained, sql, history):
    if history == "orders that all are routed":
        for number in range(20):
            settle(sql, batch(sql, f"H{number}", 100))
    analyse()

    work_through(explained)

    assert set(explained.plans) == {"place", "settle_routed", "note_failures", "park", "release"}
    for name, plan in explained.plans.items():
        assert "Seq Scan" not in plan, f"{name}:\n{plan}"
        assert "orders_status" not in plan, f"{name}:\n{plan}"


def test_a_statement_is_not_planned_anew_for_each_batch(sql):
    for number in range(12):
        settle(sql, batch(sql, f"P{number}", 1))
    planned = sql.connected().execute(
        "SELECT split_part(statement, ' ', 2), generic_plans, custom_plans FROM pg_prepared_statements"
    )
    assert {("place", 12, 0), ("settle_routed", 12, 0)} <= set(planned.fetchall())
