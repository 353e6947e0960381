"""The records of a namespace, and what the server does to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.doubles.aerospike import wire
from tests.doubles.aerospike.wire import Answer, Request

OK, NOT_FOUND, PARAMETER, EXISTS, TOO_BIG, NO_NAMESPACE, FORBIDDEN, FILTERED_OUT = 0, 2, 4, 5, 13, 20, 22, 27

_EPOCH = 1_262_304_000  # 2010
_NEVER, _KEEP = 0xFFFFFFFF, 0xFFFFFFFE
_LONGEST_TTL = 315_360_000
_MOST_BYTES = 1 << 20


@dataclass
class Record:
    """`ends_at`: Unix time, None for never. `key`: as sent, None where the client kept it to itself."""

    set: str
    key: str | None
    bins: dict[str, int | str] = field(default_factory=dict)
    generation: int = 0
    ends_at: float | None = None

    @property
    def live(self) -> bool:
        return self.ends_at is None or self.ends_at > time.time()


class Records:
    """`nsup_period`: 0 forbids records that end. `fault`: the result code a request gets in place of being done."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.nsup_period = 120
        self.fault: Callable[[Request], int] = lambda _: OK
        self._records: dict[bytes, Record] = {}

    def of(self, key: str) -> Record:
        """The live record of a user's key. Raises KeyError."""
        for record in self._records.values():
            if record.key == key and record.live:
                return record
        raise KeyError(key)

    def do(self, request: Request) -> Answer:
        if request.namespace != self.namespace:
            return Answer(NO_NAMESPACE)
        if fault := self.fault(request):
            return Answer(fault)
        record = self._records.get(request.digest)
        if record and not record.live:
            del self._records[request.digest]
            record = None
        # A filter judges records that exist; it hinders no creation.
        if record and request.filter and evaluate(msgspec.msgpack.decode(request.filter), record) is not True:
            return Answer(FILTERED_OUT)
        if request.info[1] & wire.DELETE:
            return Answer(OK if self._records.pop(request.digest, None) else NOT_FOUND)
        if request.info[1] & wire.WRITE:
            return self._write(request, record)
        return _read(request, record)

    def _write(self, request: Request, record: Record | None) -> Answer:
        if refusal := self._refusal(request, record):
            return Answer(refusal)
        record = record or Record(request.set, request.key)
        replaces = request.info[2] & (wire.CREATE_OR_REPLACE | wire.REPLACE_ONLY)
        bins = {} if replaces else dict(record.bins)
        for operation in request.operations:
            bins.pop(operation.bin, None)
            if operation.value is not None:
                bins[operation.bin] = operation.value
        if sum(len(str(value).encode()) for value in bins.values()) > _MOST_BYTES:
            return Answer(TOO_BIG)
        record.bins = bins
        record.generation += 1
        if request.ttl != _KEEP:
            record.ends_at = None if request.ttl in (0, _NEVER) else time.time() + request.ttl
        self._records[request.digest] = record
        return Answer(OK, record.generation, _void_time(record))

    def _refusal(self, request: Request, record: Record | None) -> int:
        ends = request.ttl not in (0, _NEVER, _KEEP)
        must_exist = request.info[2] & (wire.UPDATE_ONLY | wire.REPLACE_ONLY)
        refusals = {
            FORBIDDEN: ends and self.nsup_period == 0,
            PARAMETER: ends and request.ttl > _LONGEST_TTL,
            EXISTS: record is not None and request.info[1] & wire.CREATE_ONLY,
            NOT_FOUND: record is None and must_exist,
        }
        return next((code for code, applies in refusals.items() if applies), OK)


def _read(request: Request, record: Record | None) -> Answer:
    if record is None:
        return Answer(NOT_FOUND)
    if request.info[0] & wire.GET_ALL:
        bins = record.bins
    else:
        asked = {operation.bin for operation in request.operations}
        bins = {name: value for name, value in record.bins.items() if name in asked}
    return Answer(OK, record.generation, _void_time(record), bins)


def _void_time(record: Record) -> int:
    return 0 if record.ends_at is None else int(record.ends_at) - _EPOCH


# Codes of expressions. What is not known makes a comparison unknown, which is not true.
_COMPARISONS: dict[int, Callable[[Any, Any], bool]] = {
    1: lambda a, b: a == b,
    2: lambda a, b: a != b,
    3: lambda a, b: a > b,
    4: lambda a, b: a >= b,
    5: lambda a, b: a < b,
    6: lambda a, b: a <= b,
}
_AND, _OR, _NOT, _BIN, _BIN_TYPE = 16, 17, 18, 81, 82
# What a bin is taken for; of another type, its value is not known.
_TYPES = {2: int, 3: str}


def evaluate(expression: Any, record: Record) -> Any:
    """The value of a filter expression over a record; None is unknown."""
    if not isinstance(expression, list):
        return expression
    code, *rest = expression
    if code == _BIN:
        value = record.bins.get(rest[1])
        return value if isinstance(value, _TYPES[rest[0]]) else None
    if code == _BIN_TYPE:
        value = record.bins.get(rest[0])
        return {int: wire.INTEGER, str: wire.STRING}.get(type(value), wire.NULL)
    values = [evaluate(part, record) for part in rest]
    if code in _COMPARISONS:
        return None if None in values else _COMPARISONS[code](*values)
    if code == _NOT:
        return None if values[0] is None else not values[0]
    return _all(values) if code == _AND else _any(values, code)


def _all(values: list[Any]) -> bool | None:
    return False if False in values else None if None in values else True


def _any(values: list[Any], code: int) -> bool | None:
    if code != _OR:
        raise ValueError(f"an expression of code {code}")
    return True if True in values else None if None in values else False
