"""What people do with an order: route it, have it retried, cancel it, say it is executed, clear its review mark.

Each takes the order under a row lock, refuses it while a live claim is out, and writes state, events and outbox
in one transaction, the caller's where there is one: nothing is half done, and the event says who and why.
"""

from __future__ import annotations

from django.db.models.functions import Now

from orders import audit
from orders.lifecycle import Event, Status
from routing.changes import taken
from routing.models import Outcome
from routing.operations import Operation, Refused

_MAX_ROUTE = 255


def route_by_hand(order_id: str, *, route: str, reason: str, actor: str) -> None:
    """Send an order to a venue. Raises `Refused`, or `Order.DoesNotExist`."""
    route = venue(route)
    with taken(order_id, Operation.ROUTE, reason=reason, actor=actor) as change:
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


def venue(route: str) -> str:
    """The name of a venue as it was typed. Raises `Refused`."""
    route = route.strip()
    if not route.isprintable() or not 0 < len(route) <= _MAX_ROUTE:
        raise Refused(f"expected a route of 1 to {_MAX_ROUTE} printable characters, got {route[:80]!r}")
    return route


def retry_now(order_id: str, *, reason: str, actor: str) -> None:
    """Have a parked order routed by the machine at once. Raises `Refused`, or `Order.DoesNotExist`.

    After a definite refusal the router is asked under a new idempotency key: the old one has its answer.
    """
    with taken(order_id, Operation.RETRY, reason=reason, actor=actor) as change:
        order = change.order
        change.clear_review()
        refused = order.routes.order_by("-attempt").values_list("outcome", flat=True).first()
        change.update(due_at=Now(), key_number=order.key_number + (refused == Outcome.REFUSED))
        # Of an order that waits for the machine alone no state changes, hence no event tells of it.
        audit.record(actor=actor, action="order.retry", subject=order_id, detail={"reason": change.reason})


def cancel(order_id: str, *, reason: str, actor: str) -> bool:
    """Cancel an order that is not executed; False: it was canceled before.

    Raises `Refused`, or `Order.DoesNotExist`.
    """
    with taken(order_id, Operation.CANCEL, reason=reason, actor=actor) as change:
        if change.is_done:
            return False
        change.clear_review()
        change.append(Event.CANCELED)
        change.update(status=Status.CANCELED, due_at=None)
    return True


def execute(order_id: str, *, actor: str, reason: str = "") -> bool:
    """Note that a routed order is executed; False: that was known. Raises `Refused`, or `Order.DoesNotExist`.

    A review mark stays: what a person is to look at is not settled by that.
    """
    with taken(order_id, Operation.EXECUTE, reason=reason, actor=actor) as change:
        if change.is_done:
            return False
        change.append(Event.EXECUTED)
        change.update(status=Status.EXECUTED)
    return True


def clear_review(order_id: str, *, reason: str, actor: str) -> None:
    """Say that a person has looked; a parked order is due again. Raises `Refused`, or `Order.DoesNotExist`."""
    with taken(order_id, Operation.CLEAR_REVIEW, reason=reason, actor=actor) as change:
        change.clear_review()
        if change.order.status == Status.PENDING_ROUTE:
            change.update(due_at=Now())
        else:
            change.update()
