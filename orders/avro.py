"""Avro bodies: the writer's schema by its fingerprint, resolved against the reader's.

A body is a single-object encoding (C3 01, the CRC-64-AVRO fingerprint in little-endian, the datum) or a bare
datum of the schema shipped here. Fields of a writer's schema that the reader's does not have are kept, as
unknown fields of JSON are.

Note on hostile bodies: lengths beyond the body end in an early end of data, without memory being taken. What
a body could abuse beyond that lies in the writer's schema, so `schemas` refuses recursive types (the reader's
C stack) and arrays whose items take no bytes (a count of 2^60 would be believed); decimals are read here,
because the library rounds to the schema's precision and takes seconds for a long one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import msgspec
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import LOGICAL_READERS
from fastavro.schema import fingerprint, to_parsing_canonical_form

from orders.invalid import InvalidOrder, path_of, shown

_SHIPPED = Path(__file__).parent / "avro_schemas" / "validated_order.v1.avsc"
_MARKER = b"\xc3\x01"
_HEADER_LENGTH = 10
_SMALLEST = {"null": 0, "boolean": 1, "int": 1, "long": 1, "float": 4, "double": 8, "bytes": 1, "string": 1}
_LONGEST_DECIMAL = 64
_OF_JSON = frozenset({str, Decimal, int, bool, type(None)})
_exactly = Context(prec=200)


class BadSchemaFile(Exception):
    """A schema file the operator gave cannot be used; the message names it."""


@dataclass(slots=True, frozen=True)
class Writer:
    """A schema bodies are written with. `unknown`: its fields that the reader's schema does not have."""

    path: Path
    schema: dict[str, Any]
    fingerprint: bytes
    unknown: frozenset[str]


class Schemas:
    """The writers' schemas known, and the reader's."""

    def __init__(self, reader: Writer, writers: Mapping[bytes, Writer]) -> None:
        self._reader = reader
        self._writers = writers

    def read(self, body: bytes) -> dict[str, Any]:
        """The fields of an order as JSON would have them; not checked. Raises `InvalidOrder`."""
        writer, start = self._writer_of(body)
        datum = _datum(body, start, writer, self._reader.schema)
        unknown = {}
        if writer.unknown:
            everything = _datum(body, start, writer, None)
            unknown = {name: everything[name] for name in writer.unknown}
        # Not changed in place: where a body has no `extra`, this is the schema's own default.
        extra = datum.pop("extra")
        for name in extra:
            if name in datum or name in unknown:
                raise InvalidOrder(
                    "BAD_VALUE", "is a field of its own; expected another name", path=path_of("extra", name)
                )
        return {name: _plain(value) for name, value in {**datum, **unknown, **extra}.items()}

    def _writer_of(self, body: bytes) -> tuple[Writer, int]:
        """The schema a body was written with, and where its datum begins."""
        # A bare datum cannot begin like this: C3 01 would be a text of length -98.
        if not body.startswith(_MARKER):
            return self._reader, 0
        wanted = body[len(_MARKER) : _HEADER_LENGTH]
        if len(body) < _HEADER_LENGTH:
            raise InvalidOrder("UNREADABLE", "The body ends within the fingerprint of its Avro schema")
        writer = self._writers.get(wanted)
        if writer is None:
            known = ", ".join(_hex(found.fingerprint) for found in self._writers.values())
            raise InvalidOrder(
                "UNREADABLE", f"The Avro schema's fingerprint is {_hex(wanted)}; expected one of {known:.200}"
            )
        return writer, _HEADER_LENGTH


@cache
def _shipped() -> Writer:
    return _load(_SHIPPED, None)


@cache
def schemas(folder: Path | None) -> Schemas:
    """The shipped schema and those of the `.avsc` files in `folder`, read once. Raises `BadSchemaFile`."""
    reader = _shipped()
    writers = {reader.fingerprint: reader}
    if folder is not None and not folder.is_dir():
        raise BadSchemaFile(f"{folder} is not a folder; expected one with .avsc files")
    for path in sorted(folder.glob("*.avsc")) if folder else ():
        writer = _load(path, reader.schema)
        known = writers.setdefault(writer.fingerprint, writer)
        if known.schema != writer.schema:
            raise BadSchemaFile(
                f"{path} and {known.path} differ but have one fingerprint: bodies do not tell which"
            )
    return Schemas(reader, writers)


def encode(fields: Mapping[str, Any], *, single_object: bool) -> bytes:
    """An order in the shipped schema; for publishers.

    `fields` as in JSON: `quantity` and `price` Decimal or int, `created_at` an aware datetime or absent,
    `extra` a mapping of texts. Raises ValueError or TypeError for what the schema cannot hold.
    """
    writer = _shipped()
    numbers = {name: Decimal(fields[name]) for name in ("quantity", "price") if type(fields[name]) is int}
    stream = BytesIO()
    if single_object:
        stream.write(_MARKER + writer.fingerprint)
    schemaless_writer(stream, writer.schema, {**fields, **numbers})
    return stream.getvalue()


def _datum(body: bytes, start: int, writer: Writer, reader: dict[str, Any] | None) -> dict[str, Any]:
    stream = BytesIO(body)
    stream.seek(start)
    try:
        datum = schemaless_reader(stream, writer.schema, reader)
    except (EOFError, IndexError):
        raise _unreadable(writer, "it ends too early, or names a choice the schema does not have") from None
    except Exception as error:  # noqa: BLE001 - the schemas were checked when loaded: the body is at fault
        raise _unreadable(writer, shown(str(error), 160)) from None
    if stream.tell() != len(body):
        raise _unreadable(writer, f"{len(body) - stream.tell()} bytes follow its end")
    return cast("dict[str, Any]", datum)


def _unreadable(writer: Writer, problem: str) -> InvalidOrder:
    return InvalidOrder("UNREADABLE", f"The body is not Avro as {writer.path.name} has it: {problem}")


def _load(path: Path, reader: dict[str, Any] | None) -> Writer:
    try:
        schema = cast("dict[str, Any]", parse_schema(json.loads(path.read_bytes())))
        if schema["type"] != "record" or schema["name"].rpartition(".")[2] != "ValidatedOrder":
            raise ValueError("expected a record named ValidatedOrder")  # noqa: TRY301 - told like the others
        _smallest(schema, {})
        print_ = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    except Exception as error:
        raise BadSchemaFile(f"{path} is not a usable Avro schema: {error}") from error
    known = {field["name"] for field in (reader or schema)["fields"]}
    return Writer(path, schema, print_, frozenset(field["name"] for field in schema["fields"]) - known)


def _smallest(schema: Any, named: dict[str, int | None]) -> int:
    """The fewest bytes a value takes. Raises ValueError for types that a hostile body could abuse."""
    if isinstance(schema, list):
        return 1 + min(_smallest(branch, named) for branch in schema)
    if isinstance(schema, str):
        size = named[schema] if schema in named else _SMALLEST[schema]
        if size is None:
            raise ValueError(f"{schema} contains itself; expected no recursive types")
        return size
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = None
        named[schema["name"]] = size = sum(_smallest(field["type"], named) for field in schema["fields"])
    elif kind in {"fixed", "enum"}:
        named[schema["name"]] = size = schema.get("size", 1)
    elif kind in {"array", "map"}:
        size = 1
        if _smallest(schema["items" if kind == "array" else "values"], named) == 0 and kind == "array":
            raise ValueError("an array's items take no bytes; expected items of a size")
    else:
        size = _smallest(kind, named)
    return size


def _decimal(data: bytes, writer_schema: Any, reader_schema: Any = None) -> Decimal:
    """An unscaled integer as the decimal it stands for, exactly."""
    del reader_schema
    if len(data) > _LONGEST_DECIMAL:
        raise ValueError(f"a decimal of {len(data)} bytes")
    unscaled = Decimal(int.from_bytes(data, "big", signed=True))
    if len(unscaled.as_tuple().digits) > writer_schema["precision"]:
        raise ValueError(f"a decimal of more than {writer_schema['precision']} digits")
    return unscaled.scaleb(-writer_schema.get("scale", 0), _exactly)


LOGICAL_READERS["bytes-decimal"] = LOGICAL_READERS["fixed-decimal"] = _decimal


def _plain(value: Any) -> Any:
    """A value as JSON has it: numbers exact, times and the like as text."""
    if type(value) in _OF_JSON:
        return value
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return msgspec.to_builtins(value)


def _hex(stored: bytes) -> str:
    """A fingerprint as a number in hex, the way schema registries show it."""
    return f"{int.from_bytes(stored, 'little'):016x}"
