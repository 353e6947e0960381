"""Any order of events at all: several workers and persons on the same orders, beside a model of the design.

Hypothesis draws what happens next and, where it ends otherwise than the model says, shortens the story. Claims run
out and parked orders fall due by a change of their times; an answer is lost after SQL has committed.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consumers import batch
from consumers.batch import Job
from consumers.models import Reason
from consumers.transport import Delivery
from orders import halts
from routing import claims, manual
from routing.claims import Claimed
from routing.decisions import Attempt, Parking
from routing.models import Outcome
from routing.operations import Refused
from tests import builders
from tests.integration.lifecycle_model import (
    Due,
    ModelBook,
    ModelOrder,
    broken_laws,
    expected,
    seen,
)
from tests.integration.lifecycle_staff import Worker

FIELDS = {"A": ("AAPL", "ACME"), "B": ("MSFT", "ZED")}
SCOPES = [(None, None), ("AAPL", None), (None, "ZED")]
DUE_IN = {Due.NOW: 0.0, Due.LATER: 3600.0, Due.NEVER: None}

# What a person does to an order, and what the model says of it.
PERSONS = {
    "route": (
        lambda order_id: manual.route_by_hand(order_id, route="DESK", reason="asked", actor="ann"),
        lambda order: order.route_by_hand("DESK"),
    ),
    "retry": (
        lambda order_id: manual.retry_now(order_id, reason="asked", actor="ann"),
        ModelOrder.retry_now,
    ),
    "cancel": (
        lambda order_id: manual.cancel(order_id, reason="asked", actor="bob"),
        ModelOrder.cancel,
    ),
    "execute": (
        lambda order_id: manual.execute(order_id, actor="venue"),
        ModelOrder.execute,
    ),
    "clear": (
        lambda order_id: manual.clear_review(order_id, reason="looked", actor="bob"),
        ModelOrder.clear_review,
    ),
}

ids = st.sampled_from(sorted(FIELDS))
workers = st.integers(0, 1)
# Mostly no answer is lost, else the first or second of the step's.
lost_answers = st.sampled_from([None, None, 1, 2])
messages = st.lists(st.tuples(ids, st.sampled_from([1, 1, 1, 2])), min_size=1, unique_by=lambda each: each[0])


_ALL = """
SELECT jsonb_build_array(
    to_jsonb(o) || jsonb_build_object('live', coalesce(o.claimed_until > now(), false), 'is_due', o.due_at <= now()),
    ARRAY(SELECT jsonb_build_array(sequence, event) FROM order_events e WHERE e.order_id = o.order_id
          ORDER BY sequence),
    ARRAY(SELECT jsonb_build_array(attempt, outcome, route) FROM order_routes r WHERE r.order_id = o.order_id
          ORDER BY attempt))::text
FROM orders o
"""


# The trigger on order_events refuses this to anyone else.
_EMPTY = """
SET LOCAL session_replication_role = replica;
DELETE FROM order_routes; DELETE FROM order_events; DELETE FROM orders; DELETE FROM halts; DELETE FROM store_records
"""
_RUN_OUT = """
UPDATE orders SET claimed_until = now() - interval '1 second' WHERE order_id = ANY(%s) AND claim IS NOT NULL
"""
_FALL_DUE = """
UPDATE orders SET due_at = now() - interval '1 second' WHERE order_id = ANY(%s) AND due_at IS NOT NULL
"""


class Lifecycle(RuleBasedStateMachine):
    """`calls`: claims whose call is out, or about to be."""

    def __init__(self, staff: list[Worker], reader: Any) -> None:
        super().__init__()
        self.staff = staff
        self.reader = reader
        self.book = ModelBook()
        self.calls: list[Claimed] = []

    def teardown(self) -> None:
        with self.reader.transaction():
            self.reader.execute(_EMPTY)

    # The machine

    @rule(sent=messages, number=workers, lost=lost_answers)
    def messages_arrive(self, sent: list[tuple[str, int]], number: int, lost: int | None) -> None:
        worker = self.staff[number]
        taken, _ = batch.decode([Job(_delivery(order_id, content), 0.0) for order_id, content in sent])
        placements = worker.again_if_lost(lost, lambda: worker.placing.place(taken, taken.arrivals))
        conflicts = {r.order_id for r in placements.rejections if r.order_id}
        assert all(rejection.reason is Reason.CONFLICT for rejection in placements.rejections)
        if conflicts:
            worker.again_if_lost(lost, lambda: worker.require_review(conflicts))
        arrived = [ModelOrder(order_id, content, *FIELDS[order_id]) for order_id, content in sent]
        assert (self._take(placements.claimed), conflicts) == self.book.arrive(arrived, taken.claim)

    @rule(number=workers, limit=st.integers(1, 4), lost=lost_answers)
    def a_worker_sweeps(self, number: int, limit: int, lost: int | None) -> None:
        worker = self.staff[number]
        waiting = {order.order_id: order for order in self.book.due()}
        foretold, count = claims.waiting(worker.sql, limit=9)
        assert ({one.order_id for one in foretold}, count) == (set(waiting), len(waiting))
        claim = uuid4()
        # Where the answer is lost there is room for all: what a repeated sweep has no room for runs out.
        limit = len(FIELDS) if lost else limit
        taken = self._take(worker.again_if_lost(lost, lambda: worker.sweep(limit, claim)))
        assert len(taken) == min(limit, len(waiting))
        assert taken == {order_id: waiting[order_id].take(claim) for order_id in taken}

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), number=workers, lost=lost_answers)
    def the_router_answers(self, data: st.DataObject, number: int, lost: int | None) -> None:
        """As the dispatcher settles: all accepted ones in one statement, then all failures in one."""
        # Of two calls for one order, the one that holds the claim is settled, then the other is late.
        works = sorted(self._some_calls(data), key=lambda work: self._order(work).claim != work.claim)
        attempts = [self._answer(data, work) for work in works]
        worker = self.staff[number]
        accepted = [each for each in attempts if each.answer.outcome is Outcome.ACCEPTED]
        failed = [each for each in attempts if each not in accepted]
        if accepted:
            routed = worker.again_if_lost(lost, lambda: worker.settle_accepted(accepted))
            assert routed == {each.id for each in accepted if self._model(each).accepted(*_accepted(each))}
        if failed:
            ours = worker.again_if_lost(lost, lambda: worker.settle_failed(failed))
            assert ours == {
                each.id for each in failed if self._model(each).failed(each.work.claim, each.answer.outcome)
            }
        for each in attempts:
            self.calls.remove(each.work)
        self._follow(data, worker, lost, [each.work for each in failed if each.id in ours])

    def _follow(self, data: st.DataObject, worker: Worker, lost: int | None, works: list[Claimed]) -> None:
        """What the policy may decide after a failure: another call under the same claim, or parking."""
        parkings = []
        for work in works:
            following = data.draw(st.sampled_from(["call again", *Due]), "following")
            if isinstance(following, Due):
                parkings.append(Parking(work, DUE_IN[following], "it failed"))
                self._order(work).park(work.claim, following)
            else:
                self.calls.append(work)
        if parkings:
            worker.again_if_lost(lost, lambda: worker.park(parkings))

    @precondition(lambda self: len(self.calls) > 1)
    @rule(data=st.data(), number=workers)
    def a_stopping_worker_gives_up_a_claim(self, data: st.DataObject, number: int) -> None:
        work = self.calls.pop(data.draw(st.integers(0, len(self.calls) - 1), "call"))
        claims.release(self.staff[number].sql, [work])
        self._order(work).release(work.claim)

    # Time

    @rule(order_ids=st.sets(ids, min_size=1))
    def time_passes(self, order_ids: set[str]) -> None:
        """Claims on these run out, and they fall due."""
        self.reader.execute(_RUN_OUT, [list(order_ids)])
        self.reader.execute(_FALL_DUE, [list(order_ids)])
        for order in self.book.orders.values():
            if order.order_id in order_ids:
                order.time_passes()

    # Persons

    @rule(order_id=ids, act=st.sampled_from(sorted(PERSONS)))
    def a_person_acts(self, order_id: str, act: str) -> None:
        order = self.book.orders.get(order_id)
        if order is None:
            return
        do, expect = PERSONS[act]
        done = False
        with suppress(Refused):
            done = do(order_id) is not False
        assert done == expect(order)

    @rule(scope=st.sampled_from(SCOPES))
    def a_person_halts_or_lifts(self, scope: tuple[str | None, str | None]) -> None:
        in_force = [number for number, known in self.book.halts.items() if known == scope]
        if in_force:
            assert halts.lift(in_force[0], reason="all is well", actor="sue")
            del self.book.halts[in_force[0]]
        else:
            halt = halts.halt(symbol=scope[0], counterparty=scope[1], reason="a wrong feed", actor="sue")
            self.book.halts[halt.pk] = scope

    # What holds after each step

    @invariant()
    def the_book_is_as_the_model_says_and_breaks_no_law(self) -> None:
        found = {}
        for (text,) in self.reader.execute(_ALL).fetchall():
            order, events, routes = json.loads(text)
            laws = broken_laws(order, events, routes)
            assert not laws, (order, events, routes)
            found[order["order_id"]] = seen(order, events, routes)
        assert found == {order_id: expected(order) for order_id, order in self.book.orders.items()}

    # Between the two

    def _take(self, works: list[Claimed]) -> dict[str, bool]:
        self.calls += works
        for work in works:
            known = self.book.orders.get(work.order.order_id)
            assert known is None or work.key_number == known.key_number
        return {work.order.order_id: work.expired for work in works}

    def _some_calls(self, data: st.DataObject) -> list[Claimed]:
        numbers = st.sets(st.integers(0, len(self.calls) - 1), min_size=1)
        return [self.calls[number] for number in sorted(data.draw(numbers, "calls"))]

    def _answer(self, data: st.DataObject, work: Claimed) -> Attempt:
        outcomes = [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.UNKNOWN]
        work.tries += 1
        return builders.attempt(work, data.draw(st.sampled_from(outcomes), "outcome"))

    def _order(self, work: Claimed) -> ModelOrder:
        return self.book.orders[work.order.order_id]

    def _model(self, attempt: Attempt) -> ModelOrder:
        return self._order(attempt.work)


def _delivery(order_id: str, content: int) -> Delivery:
    symbol, counterparty = FIELDS[order_id]
    body = builders.body(order_id, symbol=symbol, counterparty=counterparty, price=content)
    return Delivery("queue", 1, None, body, message_id=f"m-{order_id}-{content}")


def _accepted(attempt: Attempt) -> tuple[UUID, str]:
    assert attempt.answer.route is not None
    return attempt.work.claim, attempt.answer.route


def lifecycle_holds(examples: int, steps: int) -> None:
    staff = [Worker("worker-1"), Worker("worker-2")]
    connections["default"].ensure_connection()
    reader = connections["default"].connection
    try:
        run_state_machine_as_test(
            lambda: Lifecycle(staff, reader),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        for worker in staff:
            worker.sql.close()


@pytest.mark.timeout(600)  # a failing story takes its time to be shortened
@pytest.mark.django_db(transaction=True)
def test_whatever_workers_and_persons_do_the_book_tells_the_same_story_as_the_design():
    lifecycle_holds(examples=80, steps=50)


@pytest.mark.long
@pytest.mark.timeout(600)  # a failing story takes its time to be shortened
@pytest.mark.django_db(transaction=True)
def test_whatever_workers_and_persons_do_for_long_the_book_tells_the_same_story_as_the_design():
    lifecycle_holds(examples=1000, steps=60)
