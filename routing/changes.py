"""A change of one order by a person: under its row lock, with its events, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models.functions import Now
from psycopg.errors import LockNotAvailable

from orders import status_cache
from orders.lifecycle import Event
from orders.models import Order, OrderEvent
from routing.claims import RAN_OUT
from routing.models import OrderRoute, Outcome
from routing.operations import Operation, Refused, is_done, obstacle, with_claims


class Change:
    """One person's change of one locked order. `is_done`: it is where the operation leads already."""

    def __init__(self, order: Order, *, reason: str, actor: str, is_done: bool = False) -> None:
        self.order = order
        self.reason = reason
        self.actor = actor
        self.is_done = is_done

    def append(self, event: Event) -> None:
        self.order.version += 1
        OrderEvent.objects.create(
            order=self.order,
            sequence=self.order.version,
            event=event,
            actor=self.actor,
            reason=self.reason,
        )

    def clear_review(self) -> None:
        if self.order.needs_review:
            self.append(Event.REVIEW_CLEARED)
            self.order.needs_review, self.order.review_reason = False, ""

    def decide(self, route: str) -> OrderRoute:
        """The MANUAL route, which is also the outbox row: the consumers' relay publishes it."""
        decision = self.record(
            Outcome.MANUAL,
            route=route,
            reason=self.reason,
            decided_by=self.actor,
            publish_after=Now() if settings.CONFIG.mq.producer_queue else None,
        )
        decision.refresh_from_db(fields=["decided_at"])
        return decision

    def record(self, outcome: Outcome, **fields: Any) -> OrderRoute:
        self.order.attempts += 1
        return OrderRoute.objects.create(
            id=uuid4(), order=self.order, attempt=self.order.attempts, outcome=outcome, **fields
        )

    def update(self, **fields: Any) -> None:
        """Write the order: `fields`, and what every change leaves behind."""
        Order.objects.filter(pk=self.order.pk).update(
            **{
                "needs_review": self.order.needs_review,
                "review_reason": self.order.review_reason,
                "version": self.order.version,
                "attempts": self.order.attempts,
                "claim": None,
                "claimed_until": None,
                "updated_at": Now(),
                **fields,
            }
        )


@contextmanager
def taken(order_id: str, operation: Operation, *, reason: str, actor: str) -> Iterator[Change]:
    """The order, locked and free for `operation`; cached when the outermost transaction is committed.

    Raises `Refused`, or `Order.DoesNotExist`.
    """
    reason = reason.strip()
    if not reason and operation is not Operation.EXECUTE:
        raise Refused("a reason is required")
    with transaction.atomic():
        order = _locked(order_id)
        change = Change(order, reason=reason, actor=actor, is_done=is_done(operation, order))
        if not change.is_done and (why_not := obstacle(operation, order)):
            raise why_not
        if order.claim is not None:
            change.record(Outcome.UNKNOWN, error=RAN_OUT, decided_by=actor)
        yield change
        order.refresh_from_db()
        transaction.on_commit(partial(status_cache.from_settings().put, order))


def _locked(order_id: str) -> Order:
    try:
        return with_claims(Order.objects.select_for_update()).get(pk=order_id)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Refused(f"{order_id} is being changed by someone else; try again") from None
        raise
