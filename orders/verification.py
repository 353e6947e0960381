"""Whether the book's history is what was written: every event, every order and every anchor, checked anew.

Hashes are computed here, not by the database: its function may have been changed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import connection, transaction

from orders import anchors
from orders.evidence import NO_ANCHOR
from orders.models import AuditAnchor
from orders.story import BookEvent, BookOrder, Finding, findings_of

_CHUNK = 2000
_ORDERS = """
SELECT order_id, symbol, side, quantity, price, counterparty, timestamptz_send(created_at), digest, status,
       needs_review, version
FROM orders WHERE {which} ORDER BY order_id
"""
_EVENTS = """
SELECT order_id, sequence, event, actor, reason, timestamptz_send(at), hash
FROM order_events WHERE {which} ORDER BY order_id, sequence
"""
_ONE = "order_id = %(order)s"
_CHANGED = """order_id IN (SELECT order_id FROM order_events WHERE at >= %(since)s
                           UNION SELECT order_id FROM orders WHERE updated_at >= %(since)s)"""


def verify(
    *,
    order: str | None,
    since: datetime | None,
    kept: Mapping[int, str],
    advance: Callable[[], object] = lambda: None,
) -> Iterator[Finding]:
    """All that is wrong with one `order`, with what has changed `since`, or with all there is, as of now.

    `kept`: hashes (hexadecimal) of anchors by number, as they were kept outside. `advance` is called for each order.
    """
    which = _ONE if order else _CHANGED if since else "true"
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for held, events in _together(which, {"order": order, "since": since}):
            yield from findings_of(held, events)
            advance()
        if not order:
            yield from _anchors(since, kept)


def _together(which: str, asked: Mapping[str, Any]) -> Iterator[tuple[BookOrder | None, Sequence[BookEvent]]]:
    """Each order with its events: either may be missing."""
    with ExitStack() as cursors:
        orders = (BookOrder(*row) for row in _rows(cursors, _ORDERS.format(which=which), asked))
        events = (BookEvent(*row) for row in _rows(cursors, _EVENTS.format(which=which), asked))
        histories = groupby(events, key=lambda event: event.order_id)
        order, history = next(orders, None), next(histories, None)
        # Sorted by the bytes of the id on either side, which is the order of Python's texts as well.
        while order or history:
            if order and (history is None or order.order_id < history[0]):
                yield order, []
                order = next(orders, None)
            elif history and (order is None or history[0] < order.order_id):
                yield None, list(history[1])
                history = next(histories, None)
            elif history:
                yield order, list(history[1])
                order, history = next(orders, None), next(histories, None)


def _rows(cursors: ExitStack, statement: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    cursor = cursors.enter_context(connection.chunked_cursor())
    cursor.execute(statement, parameters)
    while rows := cursor.fetchmany(_CHUNK):
        yield from rows


def _anchors(since: datetime | None, kept: Mapping[int, str]) -> Iterator[Finding]:
    unseen = dict(kept)
    for anchor, before in anchors.with_before():
        outside = unseen.pop(anchor.pk, None)
        if outside is not None and outside != bytes(anchor.hash).hex():
            yield Finding(f"differs from its copy kept outside, {outside}", anchor=anchor.pk)
        yield from (Finding(fault, anchor=anchor.pk) for fault in _faults(anchor, before, since))
    for number in unseen:
        yield Finding("is missing: a copy was kept outside", anchor=number)


def _faults(anchor: AuditAnchor, before: AuditAnchor | None, since: datetime | None) -> Iterator[str]:
    if anchors.hash_of(anchor, bytes(before.hash) if before else NO_ANCHOR) != bytes(anchor.hash):
        yield "is not what was written, or one before it was altered or removed"
    if anchor.since != (before.until if before else None):
        yield "does not begin where the one before it ends: one is missing"
    if since and anchor.until <= since:
        return
    found = anchors.span(anchor.since, anchor.until)
    if (found.events, found.orders) != (anchor.events, anchor.orders):
        yield (
            f"holds {anchor.events:,} events of {anchor.orders:,} orders; in its time there are "
            f"{found.events:,} of {found.orders:,}: some were removed or added"
        )
    if found.root != bytes(anchor.root):
        yield "has another root than the events of its time: one of them was altered, removed or added"
