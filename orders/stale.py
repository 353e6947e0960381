"""What has waited too long: orders for a route or a person, records for their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import (
    Case,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Q,
    Value,
    When,
)
from django.db.models.functions import Now

from orders import status_cache
from orders.lifecycle import ROUTABLE
from orders.models import Order, StoreRecord

# The embedded store hides a record the moment it expires, and deletes it some time later.
_DELETED_WITHIN = timedelta(hours=1)


@dataclass(slots=True, frozen=True)
class Waiting:
    """An order that waits `since` then: for a person since it was marked, for a route since it arrived."""

    order: Order
    since: datetime
    age: timedelta


def waiting_orders(*, older_than: timedelta, most: int) -> tuple[list[Waiting], int]:
    """The oldest, at most so many, of those that have waited for longer than this; and how many these are."""
    latest = ExpressionWrapper(Now() - Value(older_than), output_field=DateTimeField())
    since = Case(When(needs_review=True, then=F("updated_at")), default=F("placed_at"))
    orders = Order.objects.filter(
        Q(needs_review=True, updated_at__lt=latest)
        | Q(status__in=ROUTABLE, needs_review=False, placed_at__lt=latest)
    )
    age = ExpressionWrapper(Now() - F("since"), output_field=DurationField())
    oldest = orders.annotate(since=since).annotate(age=age).order_by("since", "order_id")[:most]
    return [Waiting(order, order.since, order.age) for order in oldest], orders.count()


@dataclass(slots=True, frozen=True)
class OverdueRecord:
    """A status record that the store still serves although its life, counted from `written_at`, is over."""

    key: str
    written_at: datetime
    overdue: timedelta


def overdue_records(*, now: datetime, most: int) -> list[OverdueRecord]:
    """Overdue ones among the records of the `most` orders created last before a record's life ago.

    No store can be searched by age: where records expire, none of these is overdue, and where they do not, all
    are. Raises `StoreUnavailable`.
    """
    cache = status_cache.from_settings()
    life = timedelta(seconds=cache.ttl)
    old = Order.objects.filter(created_at__lt=now - life).order_by("-created_at")
    found = cache.records(list(old.values_list("order_id", flat=True)[:most]))
    ages = [
        (cache.key(order_id), datetime.fromtimestamp(int(bins["written_at"]), UTC))
        for order_id, bins in found.items()
        if bins.get("written_at", "").isdecimal()
    ]
    return [OverdueRecord(key, at, now - at - life) for key, at in ages if now - at > life]


def undeleted_records() -> int:
    """Records of the embedded store that expired a while ago and still take up room."""
    latest = ExpressionWrapper(Now() - Value(_DELETED_WITHIN), output_field=DateTimeField())
    return StoreRecord.objects.filter(expires_at__lt=latest).count()
