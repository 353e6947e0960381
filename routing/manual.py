"""A person routes what the machine could not."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from orders import status_cache
from orders.lifecycle import ROUTABLE, Event, Status
from orders.models import Order, OrderEvent
from routing.models import OrderRoute, Outcome

_MAX_ROUTE = 255


class Refused(Exception):
    """The order cannot be routed by hand now; says why. `claimed_until`: when a live claim is in the way."""

    def __init__(self, message: str, *, claimed_until: datetime | None = None) -> None:
        super().__init__(message)
        self.claimed_until = claimed_until


def route_by_hand(order_id: str, *, route: str, reason: str, actor: str) -> None:
    """Send an order to a venue: MANUAL route, events and outbox row in one transaction.

    Raises `Refused`, or `Order.DoesNotExist`.
    """
    route, reason = route.strip(), reason.strip()
    if not route or len(route) > _MAX_ROUTE:
        raise Refused(f"a route has 1 to {_MAX_ROUTE} characters, this one {len(route)}")
    if not reason:
        raise Refused("a reason is required")
    with transaction.atomic(durable=True):
        order = _locked(order_id)
        _refuse_unless_free(order)
        _record_lost_claim(order)
        if order.needs_review:
            _append_event(order, Event.REVIEW_CLEARED, actor=actor, reason=reason)
        _append_event(order, Event.ROUTED, actor=actor, reason=reason)
        _write(order, route=route, reason=reason, actor=actor)
    order.refresh_from_db()
    status_cache.from_settings().put(order)


def _locked(order_id: str) -> Order:
    live = ExpressionWrapper(Q(claimed_until__gt=Now()), output_field=BooleanField())
    return Order.objects.select_for_update().annotate(claim_is_live=live).get(pk=order_id)


def _refuse_unless_free(order: Order) -> None:
    if order.status not in ROUTABLE:
        raise Refused(
            f"{order.order_id} is {order.status}; only {' and '.join(ROUTABLE)} orders can be routed"
        )
    if order.claim_is_live:  # type: ignore[attr-defined] # annotated by _locked()
        raise Refused(
            f"{order.order_id} is being routed by the machine until {order.claimed_until:%H:%M:%S} UTC",
            claimed_until=order.claimed_until,
        )


def _record_lost_claim(order: Order) -> None:
    if order.claim is not None:
        order.attempts += 1
        OrderRoute.objects.create(
            id=uuid4(),
            order=order,
            attempt=order.attempts,
            outcome=Outcome.UNKNOWN,
            error="the claim ran out before its call was settled",
            decided_by="manual",
        )


def _append_event(order: Order, event: Event, *, actor: str, reason: str) -> None:
    order.version += 1
    OrderEvent.objects.create(order=order, sequence=order.version, event=event, actor=actor, reason=reason)


def _write(order: Order, *, route: str, reason: str, actor: str) -> None:
    order.attempts += 1
    decision = OrderRoute.objects.create(
        id=uuid4(),
        order=order,
        attempt=order.attempts,
        outcome=Outcome.MANUAL,
        route=route,
        decided_by=actor,
        reason=reason,
        publish_after=Now() if settings.CONFIG.mq.producer_queue else None,
    )
    decision.refresh_from_db(fields=["decided_at"])
    Order.objects.filter(pk=order.pk).update(
        status=Status.ROUTED,
        route=route,
        # The published message carries the decision's time: both say the same.
        routed_at=decision.decided_at,
        needs_review=False,
        review_reason="",
        version=order.version,
        attempts=order.attempts,
        due_at=None,
        claim=None,
        claimed_until=None,
        updated_at=Now(),
    )
