"""An operation as one call, for whoever offers several: the console's actions, the API."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User

from orders import scopes
from orders.models import Order
from orders.scopes import Caller
from routing import approvals, manual
from routing.models import RouteApproval
from routing.operations import Operation

PERMISSIONS = {
    Operation.ROUTE: "orders.route_order",
    Operation.RETRY: "routing.retry_order",
    Operation.CANCEL: "routing.cancel_order",
    Operation.EXECUTE: "routing.execute_order",
    Operation.CLEAR_REVIEW: "routing.review_order",
}


@dataclass(frozen=True)
class Done:
    """`said`: what became of the order. `changed` False: it was so before. `approval`: what it waits for."""

    said: str
    changed: bool = True
    approval: RouteApproval | None = None


def may(user: User | AnonymousUser | Caller, operation: Operation) -> bool:
    return scopes.may(user, PERMISSIONS[operation])


def perform(
    operation: Operation, order_id: str, *, user: User | Caller, reason: str = "", route: str = ""
) -> Done:
    """Do it in the name of `user`. Raises `Refused`, or `Order.DoesNotExist`."""
    actor = user.get_username()
    match operation:
        case Operation.ROUTE:
            return _routed(order_id, user, route=route, reason=reason)
        case Operation.RETRY:
            manual.retry_now(order_id, reason=reason, actor=actor)
            return Done("is due now: the machine routes it next")
        case Operation.CANCEL:
            canceled = manual.cancel(order_id, reason=reason, actor=actor)
            return Done("is canceled" if canceled else "was canceled before", canceled)
        case Operation.EXECUTE:
            executed = manual.execute(order_id, reason=reason, actor=actor)
            return Done("is executed" if executed else "was executed before", executed)
        case Operation.CLEAR_REVIEW:
            manual.clear_review(order_id, reason=reason, actor=actor)
            return Done("no longer waits for a review")


def _routed(order_id: str, user: User | Caller, *, route: str, reason: str) -> Done:
    actor = user.get_username()
    if approvals.is_needed(Order.objects.get(pk=order_id)):
        person = user.owner if isinstance(user, Caller) else user
        requester_id = person.pk if person else None
        approval = approvals.ask(order_id, route=route, reason=reason, actor=actor, requester_id=requester_id)
        return Done(f"waits for a second person, who may route it to {approval.route}", approval=approval)
    manual.route_by_hand(order_id, route=route, reason=reason, actor=actor)
    return Done(f"is routed to {route.strip()}")
