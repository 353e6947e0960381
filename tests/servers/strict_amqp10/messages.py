"""What a message is on the wire, and what the queue manager will not take."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from proton import Data, ulong

HEADER, ANNOTATIONS, PROPERTIES, BODY = 0x70, 0x72, 0x73, (0x75, 0x76, 0x77)
_DELIVERY_ANNOTATIONS, _FOOTER = 0x71, 0x78
_ID, _TO, _CORRELATION = 0, 2, 5  # places in the list of properties
_DURABLE, _COUNT = 0, 4  # in the list of the header


class Unacceptable(Exception):
    """The message is rejected with the condition `name`; the text says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class Stored:
    """A message in a queue. `count`: how often it was handed out in vain."""

    def __init__(self, raw: bytes) -> None:
        sections = dict(_sections(raw))
        header = _value(sections.pop(HEADER, b"")) or []
        self.durable = bool(header and header[_DURABLE])
        self.count = int(header[_COUNT] or 0) if len(header) > _COUNT else 0
        # Neither section is passed on.
        sections.pop(_DELIVERY_ANNOTATIONS, None)
        sections.pop(_FOOTER, None)
        self._sections = sections
        self.raw = b"".join(sections.values())

    def encoded(self) -> bytes:
        """As it is sent to a receiver: with its delivery count."""
        data = Data()
        data.put_described()
        data.enter()
        data.put_ulong(HEADER)
        data.put_list()
        data.enter()
        data.put_bool(self.durable)
        data.put_null()
        data.put_null()
        data.put_bool(self.count == 0)
        data.put_uint(self.count)
        return bytes(data.encode()) + self.raw

    def check(self, queue: str) -> None:
        """Raises `Unacceptable` for what a queue manager rejects of a client that sends to `queue`."""
        if ANNOTATIONS in self._sections:
            raise Unacceptable("amqp:not-allowed", "message annotations are not supported")
        properties = _value(self._sections.get(PROPERTIES, b"")) or []
        for place, name in ((_ID, "message-id"), (_CORRELATION, "correlation-id")):
            value = properties[place] if len(properties) > place else None
            if isinstance(value, uuid.UUID | ulong):
                raise Unacceptable("amqp:invalid-field", f"{name} is a {type(value).__name__}")
        if len(properties) <= _TO or properties[_TO] != queue:
            raise Unacceptable("amqp:invalid-field", "property to is not the queue's name")
        if not any(code in self._sections for code in BODY):
            raise Unacceptable("amqp:decode-error", "there is no body")


def _sections(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Code and bytes of each; several data sections are one."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(raw):
        data = Data()
        length = data.decode(raw[at:])
        data.rewind()
        data.next()
        data.enter()
        data.next()
        code = int(data.get_object())
        found[code] = found.get(code, b"") + raw[at : at + length]
        at += length
    yield from found.items()


def _value(section: bytes) -> Any:
    if not section:
        return None
    data = Data()
    data.decode(section)
    data.rewind()
    data.next()
    return data.get_py_described().value
