"""Checks an order's evidence bundle: `python -I check_evidence.py BUNDLE.json`. Needs Python 3.11 and nothing else.

A copy of this file lies beside each bundle that `manage.py export_order` writes; the service itself hashes with it.

Digest   SHA-256 of the order's content as entered: `order.content`, a JSON list of symbol, side, quantity, price,
         counterparty and, where the sender gave it, created_at.
Event    SHA-256 of what came before it (the digest, then the hash of the event before), its sequence (4 bytes), its
         time (`at_us`: microseconds since 2000-01-01 UTC, 8 bytes), and "a:b:c:d:" with the lengths in characters of
         order id, event, actor and reason, and those four texts, in UTF-8. Numbers are signed and big-endian.
Head     An order's last event within an anchor's span of time, since <= at < until.
Root     of an anchor: Merkle tree (RFC 6962) over the hashes of all heads in its span, sorted by order id.
Anchor   SHA-256 of the anchor before (32 zero bytes: none), since (the least number: from the beginning), until,
         events, orders and made_at as 8 bytes each, root, and who made it in UTF-8.

Whoever owns the database can write all of this anew. What they cannot do is to make an anchor fit that was kept
elsewhere: compare the anchors shown with those.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FORMAT = "order-entry evidence 1"
NO_ANCHOR = bytes(32)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BEGINNING = -(2**63)


def event_hash(
    before: bytes, *, order_id: str, sequence: int, event: str, actor: str, reason: str, at_us: int
) -> bytes:
    texts = (order_id, event, actor, reason)
    said = ":".join([*(str(len(text)) for text in texts), "".join(texts)])
    return _sha256(before, sequence.to_bytes(4, "big", signed=True), _number(at_us), said.encode())


def anchor_hash(
    before: bytes,
    *,
    since_us: int | None,
    until_us: int,
    events: int,
    orders: int,
    made_at_us: int,
    root: bytes,
    made_by: str,
) -> bytes:
    since_us = _BEGINNING if since_us is None else since_us
    numbers = (_number(value) for value in (since_us, until_us, events, orders, made_at_us))
    return _sha256(before, *numbers, root, made_by.encode())


def leaf(head: bytes) -> bytes:
    return _sha256(b"\0", head)


def node(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\1", left, right)


def microseconds(instant: datetime) -> int:
    """Since 2000-01-01 UTC, as PostgreSQL counts them."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(at_us: int) -> datetime:
    """The other way round. Raises `OverflowError` for a time that Python does not have."""
    return _EPOCH + timedelta(microseconds=at_us)


def faults(bundle: Mapping[str, Any]) -> Iterator[str]:
    """All that does not fit in a bundle."""
    if bundle.get("format") != FORMAT:
        yield f"the format is {bundle.get('format')!r}; this checks {FORMAT!r}"
        return
    order, events = bundle["order"], bundle["events"]
    yield from _order_faults(order, len(events))
    yield from _event_faults(order, events)
    for anchor in bundle["anchors"]:
        yield from (f"anchor {anchor['number']}: {fault}" for fault in _anchor_faults(anchor, events))


def _order_faults(order: Mapping[str, Any], events: int) -> Iterator[str]:
    if _sha256(order["content"].encode()).hex() != order["digest"]:
        yield "the order's content does not have its digest"
    if order["version"] != events:
        yield f"the order has version {order['version']} and {events} events"
    names = ("symbol", "side", "quantity", "price", "counterparty", "created_at")
    content = json.loads(order["content"], parse_float=str, parse_int=str)
    for name, entered in zip(names, content, strict=True):
        # The time of receipt stands in for a time that the sender did not give.
        if entered != order[name] and not (name == "created_at" and entered is None):
            yield f"the order's {name} is {order[name]!r}, and was entered as {entered!r}"


def _event_faults(order: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    before = bytes.fromhex(order["digest"])
    for number, event in enumerate(events, 1):
        said = {name: event[name] for name in ("sequence", "event", "actor", "reason", "at_us")}
        if event["sequence"] != number:
            yield f"in the place of event {number} is event {event['sequence']}"
        if event_hash(before, order_id=order["order_id"], **said).hex() != event["hash"]:
            yield f"event {event['sequence']}: it, or what came before it, is not what was written"
        if event["at"] != time_text(event["at_us"]):
            yield f"event {event['sequence']}: at and at_us differ"
        before = bytes.fromhex(event["hash"])


def _anchor_faults(anchor: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    since = _BEGINNING if anchor["since_us"] is None else anchor["since_us"]
    within = [event for event in events if since <= event["at_us"] < anchor["until_us"]]
    if not within:
        yield "the order has no event in its span of time"
        return
    reached = leaf(bytes.fromhex(within[-1]["hash"]))
    for step in anchor["proof"]:
        beside = bytes.fromhex(step["hash"])
        reached = node(beside, reached) if step["side"] == "left" else node(reached, beside)
    if reached.hex() != anchor["root"]:
        yield f"event {within[-1]['sequence']} does not lead to its root"
    numbers = {name: anchor[name] for name in ("since_us", "until_us", "events", "orders", "made_at_us")}
    root, before = bytes.fromhex(anchor["root"]), bytes.fromhex(anchor["before"])
    if anchor_hash(before, **numbers, root=root, made_by=anchor["made_by"]).hex() != anchor["hash"]:
        yield "it is not what was written"


def time_text(at_us: int) -> str | None:
    try:
        return f"{instant(at_us):%Y-%m-%dT%H:%M:%S.%f}Z"
    except OverflowError:
        return None


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def main(path: str) -> int:
    bundle = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        found = list(faults(bundle))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        found = [f"the bundle is not as it should be: {type(error).__name__}: {error}"]
    for fault in found:
        print(f"WRONG: {fault}")  # noqa: T201
    if found:
        return 1
    events, anchors = bundle["events"], bundle["anchors"]
    until = max((anchor["until_us"] for anchor in anchors), default=_BEGINNING)
    anchored = sum(event["at_us"] < until for event in events)
    print(f"Order {bundle['order']['order_id']}: {len(events)} events fit each other.")  # noqa: T201
    print(f"Under an anchor: {anchored}. Compare these with the copies kept outside the database:")  # noqa: T201
    for anchor in anchors:
        print(f"  anchor {anchor['number']} until {time_text(anchor['until_us'])}: {anchor['hash']}")  # noqa: T201
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - itself and the file
        sys.exit("usage: python -I check_evidence.py BUNDLE.json")
    sys.exit(main(sys.argv[1]))
