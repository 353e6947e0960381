"""What a person may do with an order: route it, have it retried, cancel it, clear its review mark.

Each takes the order under a row lock, refuses it while a live claim is out, and writes state, events and outbox
in one transaction: nothing is half done, and the event says who and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from orders import audit, status_cache
from orders.lifecycle import ROUTABLE, Event, Status, may_become, sources_of
from orders.models import Order, OrderEvent
from routing.models import OrderRoute, Outcome

_MAX_ROUTE = 255


class Refused(Exception):
    """The order cannot be changed so now; says why. `claimed_until`: when a live claim is in the way."""

    def __init__(self, message: str, *, claimed_until: datetime | None = None) -> None:
        super().__init__(message)
        self.claimed_until = claimed_until


def route_by_hand(order_id: str, *, route: str, reason: str, actor: str) -> None:
    """Send an order to a venue. Raises `Refused`, or `Order.DoesNotExist`."""
    route = route.strip()
    if not route.isprintable() or not 0 < len(route) <= _MAX_ROUTE:
        raise Refused(f"expected a route of 1 to {_MAX_ROUTE} printable characters, got {route[:80]!r}")
    with _taken(order_id, following=Status.ROUTED, reason=reason, actor=actor) as change:
        change.clear_review()
        change.append(Event.ROUTED)
        decision = change.decide(route)
        change.update(
            status=Status.ROUTED,
            route=route,
            # The published message carries the decision's time: both say the same.
            routed_at=decision.decided_at,
            due_at=None,
        )


def retry_now(order_id: str, *, reason: str, actor: str) -> None:
    """Have a parked order routed by the machine at once. Raises `Refused`, or `Order.DoesNotExist`.

    After a definite refusal the router is asked under a new idempotency key: the old one has its answer.
    """
    with _taken(order_id, following=Status.ROUTED, reason=reason, actor=actor) as change:
        order = change.order
        if order.status != Status.PENDING_ROUTE:
            raise Refused(f"{order_id} is {order.status} and will be routed without being asked for")
        change.clear_review()
        refused = order.routes.order_by("-attempt").values_list("outcome", flat=True).first()
        change.update(due_at=Now(), key_number=order.key_number + (refused == Outcome.REFUSED))
        # Of an order that waits for the machine alone no state changes, hence no event tells of it.
        audit.record(actor=actor, action="order.retry", subject=order_id, detail={"reason": reason})


def cancel(order_id: str, *, reason: str, actor: str) -> None:
    """Cancel an order that is not final. Raises `Refused`, or `Order.DoesNotExist`."""
    with _taken(order_id, following=Status.CANCELED, reason=reason, actor=actor) as change:
        change.clear_review()
        change.append(Event.CANCELED)
        change.update(status=Status.CANCELED, due_at=None)


def clear_review(order_id: str, *, reason: str, actor: str) -> None:
    """Say that a person has looked; a parked order is due again. Raises `Refused`, or `Order.DoesNotExist`."""
    with _taken(order_id, following=None, reason=reason, actor=actor) as change:
        if not change.order.needs_review:
            raise Refused(f"{order_id} does not wait for a review")
        change.clear_review()
        if change.order.status == Status.PENDING_ROUTE:
            change.update(due_at=Now())
        else:
            change.update()


class _Change:
    """One person's change of one locked order."""

    def __init__(self, order: Order, *, reason: str, actor: str) -> None:
        self.order = order
        self._reason = reason
        self._actor = actor

    def append(self, event: Event) -> None:
        self.order.version += 1
        OrderEvent.objects.create(
            order=self.order,
            sequence=self.order.version,
            event=event,
            actor=self._actor,
            reason=self._reason,
        )

    def clear_review(self) -> None:
        if self.order.needs_review:
            self.append(Event.REVIEW_CLEARED)

    def decide(self, route: str) -> OrderRoute:
        """The MANUAL route, which is also the outbox row: the consumers' relay publishes it."""
        decision = self.record(
            Outcome.MANUAL,
            route=route,
            reason=self._reason,
            decided_by=self._actor,
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
        """Write the order: `fields`, and what every change of a person leaves behind."""
        Order.objects.filter(pk=self.order.pk).update(
            **{
                "needs_review": False,
                "review_reason": "",
                "version": self.order.version,
                "attempts": self.order.attempts,
                "claim": None,
                "claimed_until": None,
                "updated_at": Now(),
                **fields,
            }
        )


@contextmanager
def _taken(order_id: str, *, following: Status | None, reason: str, actor: str) -> Iterator[_Change]:
    """The order, locked and free to be changed; committed and cached when the block ends."""
    reason = reason.strip()
    if not reason:
        raise Refused("a reason is required")
    with transaction.atomic(durable=True):
        order = _locked(order_id)
        _refuse_unless_free(order, following)
        change = _Change(order, reason=reason, actor=actor)
        if order.claim is not None:
            lost = "the claim ran out before its call was settled"
            change.record(Outcome.UNKNOWN, error=lost, decided_by=actor)
        yield change
    order.refresh_from_db()
    status_cache.from_settings().put(order)


def _locked(order_id: str) -> Order:
    live = ExpressionWrapper(Q(claimed_until__gt=Now()), output_field=BooleanField())
    return Order.objects.select_for_update().annotate(claim_is_live=live).get(pk=order_id)


def _refuse_unless_free(order: Order, following: Status | None) -> None:
    if following and not may_become(Status(order.status), following):
        allowed = " or ".join(sources_of(following))
        raise Refused(f"{order.order_id} is {order.status}; only {allowed} orders become {following.value}")
    if order.status in ROUTABLE and order.claim_is_live:  # type: ignore[attr-defined] # annotated by _locked()
        raise Refused(
            f"{order.order_id} is being routed by the machine until {order.claimed_until:%H:%M:%S} UTC",
            claimed_until=order.claimed_until,
        )
