"""An order as others see it: cached status, API answer, router request, routed message. Pure.

Text is put together here and not by an encoder, because its form is part of the contract: names in the spec's
order, a price with at least two decimals, an integral quantity without any, the same bytes whether the order
comes from the wire or from SQL.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from json.encoder import encode_basestring as _quoted
from typing import NamedTuple, Protocol

import msgspec

# What lists of orders show beside ids and times, to programs and to people.
LISTED = (
    *("status", "symbol", "side", "quantity", "price", "counterparty", "route"),
    *("needs_review", "review_reason"),
)

_encode = msgspec.json.Encoder().encode
_UPDATED_AT = ',"updated_at":"'
# `"2026-02-14T10:30:45` and `"2026-02-14T10:30:45.123`
_TO_SECONDS, _TO_MILLISECONDS = 20, 24


class OrderFields(Protocol):
    """What every document is made from: a `ValidatedOrder`, a row of the order book."""

    @property
    def order_id(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...
    @property
    def price(self) -> Decimal: ...
    @property
    def counterparty(self) -> str | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def extra(self) -> str: ...


class Fragments(NamedTuple):
    """An order's fields, encoded once for all its documents, each with its name: see `encode_core`."""

    order_id: str
    header: str
    counterparty: str
    created_at: str
    extra: str


def encode_core(order: OrderFields) -> Fragments:
    """What all documents of an order share; give it to them instead of the order where several are made."""
    return Fragments(
        f'"orderId":{_quoted(order.order_id)}',
        f'"symbol":{_quoted(order.symbol)},"side":"{order.side}",'
        f'"quantity":{quantity_text(order.quantity)},"price":{price_text(order.price)}',
        f'"counterparty":{_text_or_null(order.counterparty)}',
        f'"created_at":{_quoted_time(order.created_at)}',
        f'"extra":{order.extra}',
    )


def status_document(
    order: OrderFields | Fragments, *, status: str, route: str | None, updated_at: datetime
) -> str:
    """The store's `value` for `orderStatus:{orderId}`: the spec's nine keys."""
    core = _core(order)
    return (
        f'{{{core.order_id},"status":"{status}",{core.header},"route":{_text_or_null(route)},'
        f'{core.created_at}{_UPDATED_AT}{time_text(updated_at)}"}}'
    )


def api_document(
    order: OrderFields | Fragments, *, status: str, route: str | None, routed_at: datetime | None
) -> str:
    """The answer of `GET /order/{orderId}`: the spec's nine keys, null what has not happened yet."""
    core = _core(order)
    return (
        f'{{{core.order_id},"status":"{status}",{core.header},"route":{_text_or_null(route)},'
        f'{core.created_at},"routed_at":{"null" if routed_at is None else _quoted_time(routed_at)}}}'
    )


def api_document_from_cache(value: str, routed_at: str | None) -> str:
    """The same text from a `status_document`. Raises ValueError when `value` is none."""
    document, updated_at, rest = value.rpartition(_UPDATED_AT)
    if not updated_at or not rest.endswith('"}') or not value.startswith('{"orderId":'):
        raise ValueError(f"not a status document: {value[:80]!r}")
    return f'{document},"routed_at":{_text_or_null(routed_at)}}}'


def router_body(order: OrderFields | Fragments) -> bytes:
    """The request of `POST /route`, the same bytes on every call for an order."""
    core = _core(order)
    return f"{{{core.order_id},{core.header},{core.counterparty},{core.created_at},{core.extra}}}".encode()


def routed_message(
    order: OrderFields | Fragments, *, route: str, routed_at: datetime, message_id: str
) -> bytes:
    """What is published of a routed order; `message_id` is of the message that brought the order."""
    core = _core(order)
    return (
        f'{{{core.order_id},"status":"ROUTED",{core.header},{core.counterparty},"route":{_quoted(route)},'
        f'{core.created_at},"routed_at":{_quoted_time(routed_at)},{core.extra},"messageId":{_quoted(message_id)}}}'
    ).encode()


def price_text(price: Decimal) -> str:
    """At least two decimals, never an exponent: 145.50, 420.00, 0.12345."""
    whole, _, decimals = _plain(price).partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"


def quantity_text(quantity: Decimal) -> str:
    """No more decimals than it takes, never an exponent: 100, 0.5."""
    text = _plain(quantity)
    return text.rstrip("0").rstrip(".") if "." in text else text


def time_text(moment: datetime) -> str:
    """RFC 3339 in UTC; milliseconds, cut off, unless they are zero. Raises ValueError for a naive time."""
    return _quoted_time(moment)[1:-1]


def _quoted_time(moment: datetime) -> str:
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError(f"a time without its zone: {moment}")
        moment = moment.astimezone(UTC)
    text = _encode(moment).decode()
    return f'{text[: _TO_SECONDS if moment.microsecond < 1000 else _TO_MILLISECONDS]}Z"'  # noqa: PLR2004 - µs per ms


def _plain(number: Decimal) -> str:
    text = str(number)
    return format(number, "f") if "E" in text else text


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def _core(order: OrderFields | Fragments) -> Fragments:
    return order if isinstance(order, Fragments) else encode_core(order)
