"""Messages of AMQP 1.0 and what the port makes of them, both ways.

| of the port | AMQP 1.0 | RabbitMQ's 0-9-1, for comparison |
|---|---|---|
| body | one data section; read: data, or an amqp-value that is binary or a string (as UTF-8) | the body |
| message_id, correlation_id | sent as strings; read: string, binary, ulong or uuid, as text | shortstr |
| content_type | properties.content-type | content_type |
| headers | application-properties; lists and maps, which those cannot hold, as JSON text | headers |
| the queue | properties.to, beside the link's target | the routing key |
| persistent, always | header.durable | delivery_mode 2 |
| redelivered | header.delivery-count over 0, or not the first to acquire it | redelivered |

No annotations are sent: IBM MQ refuses messages that have any. Those of messages that arrive are not read. Times in
headers become RFC 3339 text; `traceparent` and `x-idempotency-token` are headers like others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import proton
from cproton import pn_message_encode, pn_message_get_content_type

from consumers.transport import Message

_DESCRIBED = b"\0"  # what every section begins with
_ROOM = 1024
_LONG = range(-(2**63), 2**63)


class Unsendable(ValueError):
    """A message that AMQP 1.0 cannot carry; says why."""


@dataclass(slots=True, frozen=True)
class Received:
    """What the port wants to know of a message."""

    body: bytes
    message_id: str | None
    content_type: str | None
    headers: Mapping[str, Any]
    redelivered: bool


class Codec:
    """One proton message for each direction, used over and over: making one costs as much as reading one."""

    def __init__(self) -> None:
        self._in = proton.Message()
        self._out = proton.Message(durable=True, inferred=True)

    def send_to(self, address: str) -> None:
        """Every message says so, not its link alone: a queue manager may look for it there."""
        self._out.address = address

    def decode(self, encoded: bytes | bytearray) -> Received:
        """What cannot be read as a message has its bytes for a body: it is quarantined as what it is."""
        try:
            return self._decode(encoded)
        except Exception:  # noqa: BLE001 - whatever is sent: it would end each process that it is delivered to
            return Received(bytes(encoded), None, None, {}, redelivered=False)

    def _decode(self, encoded: bytes | bytearray) -> Received:
        message = self._in
        message.decode(encoded)
        properties = message.properties
        return Received(
            # Proton takes what begins with no section at all for a message without any.
            _body(message.body) if encoded[:1] == _DESCRIBED else bytes(encoded),
            _id(message.id),
            pn_message_get_content_type(message._msg),  # noqa: SLF001 - proton makes "None" of none
            {str(name): _plain(value) for name, value in properties.items()} if properties else {},
            message.delivery_count > 0 or not message.first_acquirer,
        )

    def encode(self, message: Message) -> bytearray:
        """Raises `Unsendable`."""
        out = self._out
        try:
            out.id = message.message_id
            out.correlation_id = message.correlation_id
            out.content_type = message.content_type
            headers = message.headers
            out.properties = {name: _simple(value) for name, value in headers.items()} if headers else None
            out.body = message.body
            return self._encoded(len(message.body))
        except (proton.ProtonException, ValueError, TypeError, OverflowError, AttributeError) as error:
            raise Unsendable(f"{type(error).__name__}: {error}") from error

    def _encoded(self, size: int) -> bytearray:
        """At the first try where there is room for all but the body: proton itself begins with 16 bytes and doubles."""
        self._out._pre_encode()  # noqa: SLF001 - half of `encode`
        error, encoded = pn_message_encode(self._out._msg, size + _ROOM)  # noqa: SLF001
        whole: bytearray = self._out.encode() if error < 0 else encoded
        return whole


def _body(value: Any) -> bytes:
    match value:
        case None:
            return b""
        case str():
            return value.encode()
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case _:
            # No order can be read from it: it is quarantined as what it says.
            return json.dumps(_plain(value)).encode()


def _id(value: Any) -> str | None:
    match value:
        case None:
            return None
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="backslashreplace")
        case _:
            return str(value)


def _plain(value: Any) -> Any:
    """A value as the port knows them: None, bool, int, float, str, list, dict. Others, such as a uuid, as text."""
    if type(value) in (str, bool, type(None)):
        return value
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _timestamp(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(int(milliseconds))


# Proton's own types come first: they derive from Python's.
_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (proton.timestamp, _timestamp),
    (proton.Array, lambda array: [_plain(item) for item in array.elements]),
    (proton.Described, lambda described: _plain(described.value)),
    (bool, bool),
    (int, int),
    (float, float),
    ((bytes, bytearray, memoryview), lambda some: bytes(some).decode(errors="backslashreplace")),
    (Mapping, lambda some: {str(_plain(key)): _plain(item) for key, item in some.items()}),
    ((list, tuple), lambda some: [_plain(item) for item in some]),
)


def _simple(value: Any) -> Any:
    """A header's value as application properties may hold it."""
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return value if value in _LONG else str(value)
        case bytes():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False, default=str)
