"""One operation on many orders, as a person chose them.

The choice is written down when it is proposed: what is done is done to the orders that were shown, whatever has come
to match since. Each order is a transaction of its own, which also notes what became of it; so an action that stops
half-way, for whatever reason, says of each order whether it was done, and can be gone on with.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, transaction
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Now

from orders import audit, halts
from orders.lifecycle import in_words
from orders.models import Halt, Order
from routing import approvals, manual
from routing.models import BulkAction, BulkActionOrder
from routing.operations import Operation, Refused, is_done, obstacle, with_claims
from routing.performing import perform

logger = logging.getLogger(__name__)

MOST = 10_000
CHUNK = 200
_SECONDS = 2.0  # of a piece; the page shows progress between two of them
_FORGOTTEN_AFTER = timedelta(days=1)
# What these give back to the machine waits where routing is halted.
_TO_THE_MACHINE = (Operation.RETRY, Operation.CLEAR_REVIEW)
Effect = BulkActionOrder.Effect


class Foreseen(NamedTuple):
    order: Order
    effect: Effect
    why: str


def propose(operation: Operation, orders: QuerySet[Order], *, user: User) -> BulkAction:
    """Write down what a person wants to do to which orders. Nothing is done yet. Raises `Refused`."""
    chosen = list(orders.order_by().values_list("pk", flat=True)[: MOST + 1])
    if not chosen:
        raise Refused("no orders were chosen")
    if len(chosen) > MOST:
        raise Refused(f"choose at most {MOST:,} orders at once")
    forget_undecided()
    with transaction.atomic(durable=True):
        action = BulkAction.objects.create(operation=operation, user=user)
        BulkActionOrder.objects.bulk_create(
            [BulkActionOrder(action=action, order_id=order_id) for order_id in sorted(set(chosen))],
            batch_size=1000,
        )
    return action


def forget_undecided() -> None:
    """Proposals that nobody decided on, a bounded number at a time."""
    old = BulkAction.objects.filter(decided_at__isnull=True, proposed_at__lt=Now() - _FORGOTTEN_AFTER)
    BulkAction.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:10])).delete()


def foreseen(action: BulkAction) -> list[Foreseen]:
    """Of each order what would become of it now, refusals first, and why: as far as can be said before trying."""
    operation = Operation(action.operation)
    orders = with_claims(Order.objects.filter(pk__in=action.orders.values("order_id"))).order_by("pk")
    asked = set(
        approvals.waiting()
        .filter(order__in=orders.order_by().values("pk"))
        .values_list("order_id", flat=True)
    )
    halted = list(halts.in_force()) if operation in _TO_THE_MACHINE else []
    found = [Foreseen(order, *_foreseen(operation, order, asked, halted)) for order in orders]
    rank = list(Effect).index
    return sorted(found, key=lambda each: rank(each.effect))


def _foreseen(
    operation: Operation, order: Order, asked: set[str], halted: Sequence[Halt]
) -> tuple[Effect, str]:
    if is_done(operation, order):
        return Effect.UNCHANGED, f"{order.pk} is {in_words(order.status)} already"
    if why_not := obstacle(operation, order):
        return Effect.REFUSED, str(why_not)
    if operation is Operation.ROUTE and approvals.is_needed(order):
        if order.pk in asked:
            return Effect.REFUSED, f"{order.pk} waits for approval already"
        return Effect.ASKED, ""
    holding = [halt for halt in halted if halts.covers(halt, order)]
    return Effect.DONE, f"will be done, and wait for the end of the {holding[0]}" if holding else ""


def decide(action_id: UUID, *, user: User, reason: str, route: str = "") -> None:
    """Say that it is to be done, where to and why; from now on it is on record. Raises `Refused`."""
    reason = reason.strip()
    if not reason:
        raise Refused("a reason is required")
    with transaction.atomic():
        action = BulkAction.objects.select_for_update().get(pk=action_id)
        if action.user_id != user.pk:
            raise Refused("someone else proposed it; choose the orders yourself")
        if action.decided_at:
            raise Refused("it was decided before")
        if action.operation == Operation.ROUTE:
            route = manual.venue(route)
        BulkAction.objects.filter(pk=action_id).update(decided_at=Now(), route=route, reason=reason)
        audit.record(
            actor=user.get_username(),
            action=f"orders.{action.operation}",
            subject=str(action_id),
            detail={"reason": reason, "route": route, "orders": action.orders.count()},
        )


def go_on(action: BulkAction) -> None:
    """Do the next piece of a decided action: at most `CHUNK` orders, and for a few seconds."""
    until = time.monotonic() + _SECONDS
    next_ones = action.orders.filter(effect__isnull=True).order_by("order_id")
    for order_id in list(next_ones.values_list("order_id", flat=True)[:CHUNK]):
        _do(action, order_id)
        if time.monotonic() > until:
            break


def _do(action: BulkAction, order_id: str) -> None:
    with transaction.atomic(durable=True):
        row = action.orders.filter(order_id=order_id, effect__isnull=True)
        # Whoever has the page open twice does nothing twice.
        if row.select_for_update(skip_locked=True, of=("self",)).first() is None:
            return
        effect, said = _tried(action, order_id)
        row.update(effect=effect, said=said)


def _tried(action: BulkAction, order_id: str) -> tuple[Effect, str]:
    try:
        with transaction.atomic():
            done = perform(
                Operation(action.operation),
                order_id,
                user=action.user,
                reason=action.reason,
                route=action.route,
            )
    except Refused as refusal:
        return Effect.REFUSED, str(refusal)
    except (IntegrityError, DataError) as error:
        # One such order is not to keep the others from being done.
        logger.exception("%s of %s failed", action.operation, order_id)
        return Effect.REFUSED, f"{order_id}: the order book refuses it: {str(error).splitlines()[0]}"
    if done.approval:
        return Effect.ASKED, f"{order_id} {done.said}"
    return Effect.DONE if done.changed else Effect.UNCHANGED, f"{order_id} {done.said}"


def progress(action: BulkAction) -> Counter[str | None]:
    """How many orders had which effect; those under None are still to be done."""
    counts = action.orders.order_by().values_list("effect").annotate(Count("order_id"))
    return Counter(dict(counts))


def results(action: BulkAction) -> QuerySet[BulkActionOrder]:
    """What became of each order: refusals before what was done, what is still to be done last."""
    return action.orders.select_related("order").order_by(F("effect").desc(nulls_last=True), "order_id")
