"""What can be wrong with a message, one example of each kind, made out of a good order's fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from consumers.token import HEADER
from consumers.transport import Message
from orders.schema import MAX_BODY

_JSON, _AVRO = "application/json", "avro/binary"
_DEEP = 500

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Fault(NamedTuple):
    """`body` makes the broken body out of the fields of a good order."""

    name: str
    body: Callable[[Mapping[str, Any]], bytes]
    content_type: str = _JSON


def _without(name: str) -> Callable[[Mapping[str, Any]], bytes]:
    return lambda fields: _encode({key: value for key, value in fields.items() if key != name})


def _with(name: str, text: bytes) -> Callable[[Mapping[str, Any]], bytes]:
    """The order with `text`, as it stands, for the value of `name`."""
    return lambda fields: _encode({**fields, name: msgspec.Raw(text)})


FAULTS = (
    Fault("not JSON", lambda fields: f"8=FIX.4.4|11={fields['orderId']}|54=1".encode()),
    Fault("not an object", lambda fields: _encode([fields["orderId"]])),
    Fault("empty", lambda _: b""),
    Fault("cut off", lambda fields: _encode(fields)[:-20]),
    Fault("missing price", _without("price")),
    Fault("missing orderId", _without("orderId")),
    Fault("quantity of the wrong type", _with("quantity", b'"many"')),
    Fault("unknown side", _with("side", b'"HOLD"')),
    Fault("negative price", _with("price", b"-1.50")),
    Fault("over-precise price", _with("price", b"101.123456789")),
    Fault("price NaN", _with("price", b"NaN")),
    Fault("price Infinity", _with("price", b"Infinity")),
    Fault("bad orderId", _with("orderId", b'"ORD 1;DROP TABLE"')),
    Fault("bad UTF-8", _with("counterparty", b'"Caf\xe9"')),
    Fault("duplicate keys", lambda fields: _encode(fields)[:-1] + b',"quantity":1}'),
    Fault("NUL in a string", _with("symbol", rb'"AA\u0000PL"')),
    Fault("lone surrogate", _with("counterparty", rb'"\ud83d"')),
    Fault("deep nesting", _with("legs", b"[" * _DEEP + b"]" * _DEEP)),
    Fault("too large", lambda fields: _encode({**fields, "note": "x" * MAX_BODY})),
    Fault("unknown Avro fingerprint", lambda fields: b"\xc3\x01\0\0\0\0\0\0\0\0" + _encode(fields), _AVRO),
    Fault("not Avro", _encode, _AVRO),
    Fault("unknown content type", _encode, "application/xml"),
)


def forged(message: Message) -> Message:
    """A signed message with the last digit of its signature changed."""
    token = message.headers[HEADER]
    last = "1" if token.endswith("0") else "0"
    return replace(message, headers={**message.headers, HEADER: token[:-1] + last})
