"""Four eyes: a manual route of an order above a notional limit waits for a second person.

Meanwhile the order stays what it is: whoever, or whatever, routes or cancels it first has done so, and the approval
comes to nothing.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, TextChoices
from django.db.models.functions import Now

from orders import audit, documents
from orders.lifecycle import ROUTABLE
from orders.models import Order
from routing import manual
from routing.changes import taken
from routing.models import RouteApproval
from routing.operations import Operation, Refused

PERMISSION = "routing.approve_route"


def notional(order: Order) -> Decimal:
    return order.quantity * order.price


def is_needed(order: Order) -> bool:
    """Whether a route by hand of this order takes a second person."""
    limit: Decimal | None = settings.CONFIG.console.four_eyes_above
    return limit is not None and notional(order) > limit


def ask(
    order_id: str, *, route: str, reason: str, actor: str, requester_id: int | None = None
) -> RouteApproval:
    """Have a route wait for a second person. Raises `Refused`, or `Order.DoesNotExist`.

    `requester_id`: of the user behind the actor, if any.
    """
    route = manual.venue(route)
    with taken(order_id, Operation.ROUTE, reason=reason, actor=actor) as change:
        if waits := waiting().filter(order=change.order).first():
            raise Refused(
                f"{order_id} waits for approval already: to {waits.route}, asked for by {waits.requested_by}"
            )
        approval = RouteApproval.objects.create(
            order=change.order,
            route=route,
            reason=change.reason,
            notional=notional(change.order),
            requested_by=actor,
            requester_id=requester_id,
            expires_at=Now() + timedelta(seconds=settings.CONFIG.console.approval_expires_after),
        )
        _record(approval, actor, "route.ask", reason=change.reason)
    return with_ends(RouteApproval.objects.filter(pk=approval.pk)).get()


def approve(approval_id: UUID, *, approver: User, remark: str = "") -> RouteApproval:
    """Route the order as was asked. Raises `Refused`, or `RouteApproval.DoesNotExist`."""
    remark, name = remark.strip(), approver.get_username()
    with transaction.atomic():
        approval = _open(approval_id)
        if approver.pk == approval.requester_id:
            raise Refused("it was you who asked for it; another person decides")
        said = f": {remark}" if remark else ""
        manual.route_by_hand(
            approval.order_id,
            route=approval.route,
            reason=f"{approval.reason} (approved by {name}{said})",
            actor=approval.requested_by,
        )
        _decide(approval, RouteApproval.Decision.APPROVED, name, remark)
        _record(approval, name, "route.approve", reason=remark)
    return approval


def decline(approval_id: UUID, *, decider: User, remark: str) -> RouteApproval:
    """Have the order stay where it is; whoever asked may take it back so. Raises as `approve` does."""
    remark, name = remark.strip(), decider.get_username()
    if not remark:
        raise Refused("a reason is required")
    with transaction.atomic():
        approval = _open(approval_id)
        _decide(approval, RouteApproval.Decision.DECLINED, name, remark)
        _record(approval, name, "route.decline", reason=remark)
    return approval


def waiting(among: QuerySet[RouteApproval] | None = None) -> QuerySet[RouteApproval]:
    """What a second person can still decide."""
    approvals = RouteApproval.objects.all() if among is None else among
    return approvals.filter(decision__isnull=True, expires_at__gt=Now(), order__status__in=ROUTABLE)


def with_ends(approvals: QuerySet[RouteApproval]) -> QuerySet[RouteApproval]:
    """These approvals as `state` wants them, by SQL's clock."""
    over = ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField())
    return approvals.select_related("order").annotate(is_over=over)


class State(TextChoices):
    WAITING = "WAITING"
    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    OVERTAKEN = "OVERTAKEN"  # the order was routed or canceled otherwise
    EXPIRED = "EXPIRED"


def state(approval: RouteApproval) -> State:
    """What has become of one of `with_ends`."""
    if approval.decision:
        return State(approval.decision)
    if approval.order.status not in ROUTABLE:
        return State.OVERTAKEN
    return State.EXPIRED if approval.is_over else State.WAITING  # type: ignore[attr-defined] # annotated by with_ends()


def _open(approval_id: UUID) -> RouteApproval:
    """One that waits, locked."""
    approval = with_ends(RouteApproval.objects.select_for_update(of=("self",))).get(pk=approval_id)
    if approval.decision:
        raise Refused(f"{approval} was {approval.decision} by {approval.decided_by} already")
    if state(approval) is State.EXPIRED:
        raise Refused(f"{approval} waited until {approval.expires_at:%Y-%m-%d %H:%M} UTC; ask for it again")
    return approval


def _decide(approval: RouteApproval, decision: RouteApproval.Decision, decided_by: str, remark: str) -> None:
    RouteApproval.objects.filter(pk=approval.pk).update(
        decision=decision, decided_by=decided_by, decided_at=Now(), remark=remark
    )
    approval.refresh_from_db(fields=["decision", "decided_by", "decided_at", "remark"])


def _record(approval: RouteApproval, actor: str, action: str, *, reason: str) -> None:
    detail = {
        "reason": reason,
        "route": approval.route,
        "notional": documents.price_text(approval.notional),
        "requested_by": approval.requested_by,
        "approval": str(approval.pk),
    }
    audit.record(actor=actor, action=action, subject=approval.order_id, detail=detail)
