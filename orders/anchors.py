"""Anchors: what has happened in a span of time as one hash, to be kept where the database's owner cannot reach.

Note on an anchor's end: nothing may be added to a span once it is anchored. An event's time is that of its
statement, its commit comes later: a span ends a while ago (`settle`), and before the oldest transaction that writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, connection, transaction

from orders.documents import time_text
from orders.evidence import NO_ANCHOR, anchor_hash, microseconds
from orders.merkle import Tree
from orders.models import AuditAnchor

_CHUNK = 2000
_END = """
SELECT statement_timestamp(), least(statement_timestamp() - %s * interval '1 second', (
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()))
"""
_HEADS = """
SELECT DISTINCT ON (order_id) order_id, hash, count(*) OVER (PARTITION BY order_id)
FROM order_events WHERE at >= coalesce(%s::timestamptz, '-infinity') AND at < %s
ORDER BY order_id, sequence DESC
"""


class Refused(Exception):
    """Why there is no new anchor."""


@dataclass(slots=True, frozen=True)
class Span:
    """What was found in a span of time; `proof` of one order's head, see `Tree`."""

    events: int
    orders: int
    root: bytes
    proof: list[tuple[str, bytes]]


def make(*, settle: timedelta, actor: str) -> AuditAnchor:
    """The next anchor, from the end of the last one. Raises `Refused`."""
    try:
        with transaction.atomic(durable=True):
            return _make(settle, actor)
    except IntegrityError:
        raise Refused("another anchor was made at the same time") from None


def _make(settle: timedelta, actor: str) -> AuditAnchor:
    with connection.cursor() as cursor:
        cursor.execute(_END, [settle.total_seconds()])
        now, until = cursor.fetchone()
    last = AuditAnchor.objects.order_by("-id").first()
    since = last.until if last else None
    if since and until <= since:
        raise Refused(f"nothing has settled since the last anchor, which ends {time_text(since)}")
    found = span(since, until)
    anchor = AuditAnchor(
        since=since,
        until=until,
        events=found.events,
        orders=found.orders,
        root=found.root,
        made_at=now,
        made_by=actor,
    )
    anchor.hash = hash_of(anchor, bytes(last.hash) if last else NO_ANCHOR)
    anchor.save(force_insert=True)
    return anchor


def span(since: datetime | None, until: datetime, *, order_id: str | None = None) -> Span:
    """What lies from `since` up to `until`, with the proof of `order_id`. Call it within a transaction."""
    tree, events, orders = Tree(), 0, 0
    for name, head, count in _heads(since, until):
        tree.add(head, watched=name == order_id)
        events += count
        orders += 1
    root = tree.root()
    return Span(events, orders, root, tree.proof)


def hash_of(anchor: AuditAnchor, before: bytes) -> bytes:
    return anchor_hash(
        before,
        since_us=microseconds(anchor.since) if anchor.since else None,
        until_us=microseconds(anchor.until),
        events=anchor.events,
        orders=anchor.orders,
        made_at_us=microseconds(anchor.made_at),
        root=bytes(anchor.root),
        made_by=anchor.made_by,
    )


def with_before() -> Iterator[tuple[AuditAnchor, AuditAnchor | None]]:
    """Every anchor and the one before it."""
    before = None
    for anchor in AuditAnchor.objects.order_by("id").iterator():
        yield anchor, before
        before = anchor


def _heads(since: datetime | None, until: datetime) -> Iterator[tuple[str, bytes, int]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_HEADS, [since, until])
        while rows := cursor.fetchmany(_CHUNK):
            yield from rows
