"""What people, and downstream, may do with an order; and what stands in the way of it now."""

from __future__ import annotations

from datetime import datetime

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, TextChoices
from django.db.models.functions import Now

from orders.lifecycle import ROUTABLE, Status, in_words, may_become, sources_of
from orders.models import Order


class Operation(TextChoices):
    ROUTE = "route", "Route to a venue"
    RETRY = "retry", "Retry now"
    CANCEL = "cancel", "Cancel"
    EXECUTE = "execution", "Report the execution"
    CLEAR_REVIEW = "clear-review", "Clear the review mark"


_LEADS_TO = {
    Operation.ROUTE: Status.ROUTED,
    Operation.RETRY: Status.ROUTED,
    Operation.CANCEL: Status.CANCELED,
    Operation.EXECUTE: Status.EXECUTED,
}
# Saying once more what an order has come to changes nothing. To route it again would be another decision.
_REPEATABLE = (Operation.CANCEL, Operation.EXECUTE)


class Refused(Exception):
    """The order cannot be changed so now; says why. `claimed_until`: when a live claim is in the way."""

    def __init__(self, message: str, *, claimed_until: datetime | None = None) -> None:
        super().__init__(message)
        self.claimed_until = claimed_until


def with_claims(orders: QuerySet[Order]) -> QuerySet[Order]:
    """These orders as `obstacle` wants them: whether a claim is live is for SQL's clock to say."""
    live = ExpressionWrapper(Q(claimed_until__gt=Now()), output_field=BooleanField())
    return orders.annotate(claim_is_live=live)


def is_done(operation: Operation, order: Order) -> bool:
    """Whether the order is where the operation would bring it, so that nothing is left to do."""
    return operation in _REPEATABLE and order.status == _LEADS_TO[operation]


def is_open_to(operation: Operation, order: Order) -> bool:
    """Whether the operation is one for an order of this status, whoever holds it now."""
    if operation is Operation.CLEAR_REVIEW:
        return order.needs_review
    if operation is Operation.RETRY:
        return order.status == Status.PENDING_ROUTE
    return may_become(Status(order.status), _LEADS_TO[operation])


def obstacle(operation: Operation, order: Order) -> Refused | None:
    """Why this cannot be done to an order of `with_claims` as it stands; None: it can."""
    following = _LEADS_TO.get(operation)
    if following and not may_become(Status(order.status), following):
        allowed = " or ".join(in_words(status) for status in sources_of(following))
        return Refused(
            f"{order.pk} is {in_words(order.status)}; only {allowed} orders become {in_words(following)}"
        )
    if order.status in ROUTABLE and order.claim_is_live:  # type: ignore[attr-defined] # annotated by with_claims()
        return Refused(
            f"{order.pk} is being routed by the machine until {order.claimed_until:%H:%M:%S} UTC",
            claimed_until=order.claimed_until,
        )
    if operation is Operation.RETRY and order.status != Status.PENDING_ROUTE:
        return Refused(f"{order.pk} is {in_words(order.status)} and will be routed without being asked for")
    if operation is Operation.CLEAR_REVIEW and not order.needs_review:
        return Refused(f"{order.pk} does not wait for a review")
    return None
