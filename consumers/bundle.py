"""All that is on record of one order, with its hashes and what proves them: see orders/evidence.py."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction

from consumers.models import RejectedMessage
from orders import anchors, evidence
from orders.evidence import FORMAT, microseconds
from orders.models import AuditAnchor, AuditEntry, Order
from orders.schema import content_of, entered_content
from orders.story import microseconds_sent
from routing.models import OrderRoute

_EVENTS = """
SELECT sequence, event, actor, reason, timestamptz_send(at), hash FROM order_events
WHERE order_id = %s ORDER BY sequence
"""


def bundle(order_id: str) -> bytes:
    """The order's evidence as JSON. Raises `Order.DoesNotExist`."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        order = Order.objects.get(pk=order_id)
        events = _events(order_id)
        made = {
            "format": FORMAT,
            "about": "check_evidence.py beside it says how it is made, and checks it: python -I check_evidence.py FILE",
            "made_at": datetime.now(UTC),
            "made_by": f"{settings.CONFIG.service.name} {settings.BUILD()['version']}",
            "order": _order(order),
            "events": events,
            "routes": [
                _values(route) for route in OrderRoute.objects.filter(order_id=order_id).order_by("attempt")
            ],
            "rejected_messages": [
                _values(m) for m in RejectedMessage.objects.filter(order_id=order_id).order_by("id")
            ],
            "audit": [_values(entry) for entry in AuditEntry.objects.filter(subject=order_id).order_by("id")],
            "anchors": _anchors(order_id, [event["at_us"] for event in events]),
        }
    return msgspec.json.format(msgspec.json.encode(made), indent=1)


def _order(order: Order) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in ("symbol", "side", "quantity", "price", "counterparty")}
    content = entered_content(bytes(order.digest), **fields, created_at=order.created_at)
    if content is None:
        content = content_of(**fields, created_at=order.created_at)
    return {
        **_values(order),
        "quantity": str(order.quantity),
        "price": str(order.price),
        "content": content.decode(),
    }


def _events(order_id: str) -> list[dict[str, Any]]:
    names = ("sequence", "event", "actor", "reason", "at_us", "hash")
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [order_id])
        rows = cursor.fetchall()
    events = []
    for *said, at, head in rows:
        at_us = microseconds_sent(at)
        event = dict(zip(names, (*said, at_us, head.hex()), strict=True))
        events.append(event | {"at": evidence.time_text(at_us)})
    return events


def _anchors(order_id: str, times: list[int]) -> list[dict[str, Any]]:
    """Those in whose time there are events of the order, each with the way from the last of them to its root."""
    covering = []
    for anchor, before in anchors.with_before():
        since = microseconds(anchor.since) if anchor.since else None
        until = microseconds(anchor.until)
        if any((since is None or since <= at) and at < until for at in times):
            covering.append(_anchor(order_id, anchor, before) | {"since_us": since, "until_us": until})
    return covering


def _anchor(order_id: str, anchor: AuditAnchor, before: AuditAnchor | None) -> dict[str, Any]:
    span = anchors.span(anchor.since, anchor.until, order_id=order_id)
    return {
        "number": anchor.pk,
        "events": anchor.events,
        "orders": anchor.orders,
        "root": bytes(anchor.root).hex(),
        "made_at_us": microseconds(anchor.made_at),
        "made_by": anchor.made_by,
        "before": (bytes(before.hash) if before else evidence.NO_ANCHOR).hex(),
        "hash": bytes(anchor.hash).hex(),
        "proof": [{"side": side, "hash": beside.hex()} for side, beside in span.proof],
    }


def _values(row: Any) -> dict[str, Any]:
    """A row's columns as JSON knows them: hashes in hexadecimal, bodies in base64."""
    return {field.attname: _plain(field.name, getattr(row, field.attname)) for field in row._meta.fields}  # noqa: SLF001 - public API


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, bytes | memoryview):
        return b64encode(value).decode() if name == "body" else bytes(value).hex()
    return value
