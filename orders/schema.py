"""What a validated order is: bytes → typed order. The only validator."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

import msgspec
from django.conf import settings

from orders import avro, json_body
from orders.invalid import InvalidOrder, Reason, shown
from orders.names import LONGEST_COUNTERPARTY, LONGEST_SYMBOL, ORDER_ID, ORDER_ID_IN_WORDS, is_order_id

__all__ = [
    "MAX_BODY",
    "InvalidOrder",
    "Reason",
    "ValidatedOrder",
    "content_of",
    "decode",
    "entered_content",
]

MAX_BODY = 256 * 1024

_NAMED = frozenset({"orderId", "symbol", "side", "quantity", "price", "counterparty", "created_at"})
_ABSENT = object()

# One encoding for the digest and for `extra`: numbers as they are, names sorted, nothing between.
_canonical = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
# The order book's numeric(20, 8): whatever would need rounding or more digits is refused.
_SCALE = Decimal("1e-8")
_to_scale = Context(prec=20, traps=[Inexact, InvalidOperation]).quantize

_is_rfc3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
).fullmatch
_order_ids_in = re.compile(rf'"orderId"\s*:\s*"({ORDER_ID})"'.encode()).findall
_YEARS = range(1970, 2200)

_EXPECTED_NUMBER = "a JSON number above 0 with at most 12 digits before the point and 8 after it"
_EXPECTED_TIME = f"an RFC 3339 time with its zone, {_YEARS[0]} to {_YEARS[-1]}, such as 2026-02-14T10:30:45Z"
_JSON = frozenset({"", "application/json", "text/json"})
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_AVRO = frozenset(
    {
        "avro/binary",
        "application/avro",
        "application/avro-binary",
        "application/vnd.apache.avro",
        "application/vnd.apache.avro+binary",
    }
)
_SUPPORTED = (
    "application/json in UTF-8, or Avro: avro/binary, application/avro, application/vnd.apache.avro+binary"
)


class ValidatedOrder(msgspec.Struct, frozen=True):
    """An order's immutable fields.

    `quantity`, `price`: exact, with the order book's eight decimals, as SQL gives them back.
    `extra`: the unknown fields as one canonical JSON object, `{}` when there are none.
    `created_at`: aware, UTC, microseconds; the time of receipt where the sender gave none.
    `digest`: SHA-256 over the content, see `content_of`; two that have the same say the same, however written.
    """

    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str | None
    created_at: datetime
    extra: str
    digest: bytes


def decode(body: bytes, content_type: str | None, received_at: datetime) -> ValidatedOrder:
    """The order that a message's body holds. Raises `InvalidOrder` and, for any bytes, nothing else.

    Raises `avro.BadSchemaFile` when the operator's folder of Avro schemas cannot be used.
    """
    try:
        if len(body) > MAX_BODY:
            raise _too_large(body)
        if content_type is None or _format(content_type) == "json":
            fields = json_body.read(body)
        else:
            fields = avro.schemas(settings.CONFIG.mq.avro_schemas).read(body)
            json_body.check(fields)
    except InvalidOrder as fault:
        fault.order_id = _order_id_in(body)
        raise
    return _order(fields, received_at)


def content_of(
    *,
    symbol: str,
    side: str,
    quantity: Decimal,
    price: Decimal,
    counterparty: str | None,
    created_at: datetime | None,
) -> bytes:
    """These six as a JSON list: numbers with eight decimals, times in UTC, null what the sender did not give."""
    instant = created_at and created_at.astimezone(UTC)
    return _canonical(
        [symbol, side, _to_scale(quantity, _SCALE), _to_scale(price, _SCALE), counterparty, instant]
    )


def entered_content(
    digest: bytes,
    *,
    symbol: str,
    side: str,
    quantity: Decimal,
    price: Decimal,
    counterparty: str | None,
    created_at: datetime,
) -> bytes | None:
    """The content (see `content_of`) that has this SHA-256 digest; None: the order is not what was entered.

    Where the sender gave no time, that of receipt stands in its place in the book, and not in the digest.
    """
    for at in (created_at, None):
        content = content_of(
            symbol=symbol, side=side, quantity=quantity, price=price, counterparty=counterparty, created_at=at
        )
        if sha256(content).digest() == digest:
            return content
    return None


def _order(fields: dict[str, Any], received_at: datetime) -> ValidatedOrder:
    get = fields.get
    order_id = _order_id(get("orderId", _ABSENT))
    try:
        symbol = _text("symbol", get("symbol", _ABSENT), LONGEST_SYMBOL)
        side = _side(get("side", _ABSENT))
        quantity = _number("quantity", get("quantity", _ABSENT))
        price = _number("price", get("price", _ABSENT))
        counterparty = get("counterparty")
        if counterparty is not None:
            counterparty = _text("counterparty", counterparty, LONGEST_COUNTERPARTY)
        created_at = get("created_at")
        if created_at is not None:
            created_at = _time(created_at)
    except InvalidOrder as fault:
        fault.order_id = order_id
        raise
    extra = "{}"
    if not fields.keys() <= _NAMED:
        extra = _canonical({name: value for name, value in fields.items() if name not in _NAMED}).decode()
    digest = sha256(_canonical([symbol, side, quantity, price, counterparty, created_at])).digest()
    return ValidatedOrder(
        order_id, symbol, side, quantity, price, counterparty, created_at or received_at, extra, digest
    )


def _order_id(value: Any) -> str:
    if type(value) is str and is_order_id(value):
        return value
    raise _unexpected("orderId", value, ORDER_ID_IN_WORDS)


def _text(name: str, value: Any, longest: int) -> str:
    # Of all white space only the blank is printable.
    if type(value) is str and 0 < len(value) <= longest and value.isprintable() and value.strip(" ") == value:
        return value
    raise _unexpected(name, value, f"1 to {longest} printable characters without white space around them")


def _side(value: Any) -> str:
    if value == "BUY" or value == "SELL":  # noqa: PLR1714 - a set would hash what may not be hashable
        return str(value)
    raise _unexpected("side", value, "BUY or SELL")


def _number(name: str, value: Any) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if type(value) is Decimal:
        try:
            scaled = _to_scale(value, _SCALE)
        except (Inexact, InvalidOperation):
            raise _unexpected(name, value, _EXPECTED_NUMBER) from None
        if scaled > 0:
            return scaled
    raise _unexpected(name, value, _EXPECTED_NUMBER)


def _time(value: Any) -> datetime:
    """An instant in UTC. Beyond microseconds, digits are cut off."""
    if type(value) is str and _is_rfc3339(value):
        try:
            instant = datetime.fromisoformat(value.upper())
            if instant.tzinfo is not UTC:
                instant = instant.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _unexpected("created_at", value, _EXPECTED_TIME) from None
        if instant.year in _YEARS:
            return instant
    raise _unexpected("created_at", value, _EXPECTED_TIME)


def _unexpected(name: str, value: Any, expected: str) -> InvalidOrder:
    if value is _ABSENT:
        return InvalidOrder("MISSING_FIELD", f"is missing; expected {expected}", path=name)
    return InvalidOrder("BAD_VALUE", f"is {shown(value)}; expected {expected}", path=name)


def is_avro(content_type: str) -> bool:
    """Whether a body of this type is read as Avro."""
    try:
        return _format(content_type) == "avro"
    except InvalidOrder:
        return False


@lru_cache(maxsize=64)
def _format(content_type: str) -> Literal["json", "avro"]:
    """What a content type asks for. Raises `InvalidOrder` for what is not supported."""
    media, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if media in _AVRO:
        return "avro"
    charset = next((p.partition("=")[2].strip('" ') for p in parameters if p.startswith("charset")), "utf-8")
    if (media in _JSON or media.endswith("+json")) and charset in _CHARSETS:
        return "json"
    raise InvalidOrder("UNREADABLE", f"The content type is {shown(content_type)}; expected {_SUPPORTED}")


def _too_large(body: bytes) -> InvalidOrder:
    return InvalidOrder("TOO_LARGE", f"The body has {len(body)} bytes; expected at most {MAX_BODY}")


def _order_id_in(body: bytes) -> str | None:
    """The order id in a body that cannot be read as a whole, where there is no doubt which."""
    found = _order_ids_in(body, 0, MAX_BODY)
    return found[0].decode() if len(found) == 1 else None
