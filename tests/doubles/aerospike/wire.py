"""The Aerospike wire protocol, as far as single records, batches and info requests need it.

Everything is big-endian. A message is a protocol header (version, type, length), a record header, fields, and
operations on bins. A batch is one message whose batch field holds a small message per record; its answer is
one record header per record, the last of them marked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

VERSION = 2
INFO, MESSAGE = 1, 3

# Bits of the three info bytes.
READ, GET_ALL, BATCH, NO_BINS = 0x01, 0x02, 0x08, 0x20
WRITE, DELETE, CREATE_ONLY = 0x01, 0x02, 0x20
LAST, UPDATE_ONLY, CREATE_OR_REPLACE, REPLACE_ONLY = 0x01, 0x08, 0x10, 0x20

NAMESPACE, SET, KEY, DIGEST, BATCH_INDEX, FILTER = 0, 1, 2, 4, 41, 43
OP_READ, OP_WRITE = 1, 2
NULL, INTEGER, STRING = 0, 1, 3

_HEADER = struct.Struct(">BBBBBBIIIHH")
_FIELD = struct.Struct(">IB")
_OPERATION = struct.Struct(">IBBBB")
_REPEAT, _INFO, _GENERATION, _TTL, _INFO4 = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclass(slots=True)
class Operation:
    code: int
    bin: str
    value: int | str | None


@dataclass(slots=True)
class Request:
    """What is to be done with one record; `index` is its place in the batch."""

    info: tuple[int, int, int]
    ttl: int
    fields: dict[int, bytes]
    operations: list[Operation]
    digest: bytes
    index: int = 0

    @property
    def namespace(self) -> str:
        return self.fields[NAMESPACE].decode()

    @property
    def set(self) -> str:
        return self.fields.get(SET, b"").decode()

    @property
    def key(self) -> str | None:
        """The user's key, where it was sent."""
        return self.fields[KEY][1:].decode() if KEY in self.fields else None

    @property
    def filter(self) -> bytes | None:
        return self.fields.get(FILTER)


@dataclass(slots=True)
class Answer:
    """`void_time`: when the record ends, seconds since 2010, 0 for never."""

    result: int
    generation: int = 0
    void_time: int = 0
    bins: dict[str, int | str] = field(default_factory=dict)


class Reader:
    """Takes a message apart."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        return layout.unpack(self.take(layout.size))

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def fields(self, count: int) -> dict[int, bytes]:
        found = {}
        for _ in range(count):
            size, kind = self.unpack(_FIELD)
            found[kind] = self.take(size - 1)
        return found

    def operations(self, count: int) -> list[Operation]:
        return [self._operation() for _ in range(count)]

    def _operation(self) -> Operation:
        size, code, kind, _, name_length = self.unpack(_OPERATION)
        name = self.take(name_length).decode()
        return Operation(code, name, _value(kind, self.take(size - 4 - name_length)))


def _value(kind: int, data: bytes) -> int | str | None:
    if kind == INTEGER:
        return int.from_bytes(data, "big", signed=True)
    if kind == STRING:
        return data.decode()
    if kind == NULL:
        return None
    raise ValueError(f"a value of type {kind}")


def requests(body: bytes) -> tuple[bool, list[Request]]:
    """Whether it is a batch, and what it asks."""
    reader = Reader(body)
    _, *info, _, _, _, ttl, _, field_count, operation_count = reader.unpack(_HEADER)
    fields = reader.fields(field_count)
    if info[0] & BATCH:
        return True, list(_batch(Reader(fields[BATCH_INDEX])))
    operations = reader.operations(operation_count)
    return False, [Request((info[0], info[1], info[2]), ttl, fields, operations, fields[DIGEST])]


def _batch(reader: Reader) -> Iterator[Request]:
    count, _ = reader.number(4), reader.number(1)
    last: Request | None = None
    for _ in range(count):
        index, digest, flags = reader.number(4), reader.take(20), reader.number(1)
        if flags & _REPEAT and last:
            last = Request(last.info, last.ttl, last.fields, last.operations, digest, index)
        else:
            last = _batch_record(reader, flags, digest, index)
        yield last


def _batch_record(reader: Reader, flags: int, digest: bytes, index: int) -> Request:
    info = (reader.number(1), reader.number(1), reader.number(1)) if flags & _INFO else (READ, 0, 0)
    reader.take((1 if flags & _INFO4 else 0) + (2 if flags & _GENERATION else 0))
    ttl = reader.number(4) if flags & _TTL else 0
    field_count, operation_count = reader.number(2), reader.number(2)
    fields = reader.fields(field_count)
    return Request(info, ttl, fields, reader.operations(operation_count), digest, index)


def frame(kind: int, body: bytes) -> bytes:
    return bytes((VERSION, kind)) + len(body).to_bytes(6, "big") + body


def answer(given: Answer, *, index: int = 0) -> bytes:
    header = _HEADER.pack(
        22, 0, 0, 0, 0, given.result, given.generation, given.void_time, index, 0, len(given.bins)
    )
    return header + b"".join(_bin(name, value) for name, value in given.bins.items())


def end_of_batch() -> bytes:
    return _HEADER.pack(22, 0, 0, LAST, 0, 0, 0, 0, 0, 0, 0)


def _bin(name: str, value: int | str) -> bytes:
    if isinstance(value, int):
        kind, data = INTEGER, value.to_bytes(8, "big", signed=True)
    else:
        kind, data = STRING, value.encode()
    return _OPERATION.pack(4 + len(name) + len(data), OP_READ, kind, 0, len(name)) + name.encode() + data
