import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form
from hypothesis import given, settings
from hypothesis import strategies as st

from orders import avro, json_body, schema
from orders.invalid import InvalidOrder
from tests.unit.orders.messages import ABSENT, RECEIVED_AT, decoded, order_body, order_fields, refusal

AVRO = "application/vnd.apache.avro+binary"
CREATED_AT = datetime(2026, 2, 14, 10, 30, 45, 123456, tzinfo=UTC)
V1 = json.loads((Path(avro.__file__).parent / "avro_schemas" / "validated_order.v1.avsc").read_bytes())
FIELDS = {field["name"] for field in V1["fields"]}
NOTHING = {"type": "record", "name": "Nothing", "fields": []}
WRITERS = Path(__file__).parent / "writers"


def bare(**changes: Any) -> bytes:
    return avro.encode(order_fields(**changes), single_object=False)


def single(**changes: Any) -> bytes:
    return avro.encode(order_fields(**changes), single_object=True)


def written(form: dict[str, Any], **changes: Any) -> bytes:
    """An order as someone with the schema `form` writes it."""
    parsed = parse_schema(form)
    stream = BytesIO(
        b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(parsed), "CRC-64-AVRO"))
    )
    stream.seek(0, 2)
    schemaless_writer(stream, parsed, {**order_fields(quantity=Decimal(100)), **changes})
    return stream.getvalue()


def v1_with(**types: Any) -> dict[str, Any]:
    """The shipped schema with fields of other types, ABSENT ones left out, new ones at its end."""
    fields = [{**field, "type": types.pop(field["name"], field["type"])} for field in V1["fields"]]
    fields += [{"name": name, "type": kind} for name, kind in types.items()]
    return {**V1, "fields": [field for field in fields if field["type"] is not ABSENT]}


def number(value: int) -> bytes:
    """An Avro long."""
    zigzag = (value << 1) ^ (value >> 63)
    out = b""
    while zigzag > 0x7F:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes schemas to a folder."""

    def write(*forms: Any) -> Path:
        for i, form in enumerate(forms):
            (tmp_path / f"{i}.avsc").write_text(form if isinstance(form, str) else json.dumps(form))
        return tmp_path

    return write


def read(body: bytes, folder: Path | None = None) -> schema.ValidatedOrder:
    fields = avro.schemas(folder).read(body)
    json_body.check(fields)
    return schema._order(fields, RECEIVED_AT)


# --- Good bodies


@pytest.mark.parametrize("content_type", ["avro/binary", "application/avro", AVRO, "Avro/Binary; x=1"])
@pytest.mark.parametrize("body", [bare(), single()], ids=["bare", "single-object"])
def test_an_order_in_avro_is_the_order_in_json(body, content_type):
    assert decoded(body, content_type) == decoded(order_body())


def test_every_field_means_the_same_in_avro_and_in_json():
    in_avro = single(counterparty="BROKER-7", created_at=CREATED_AT, extra={"desk": "EQ", "a": "é"})
    in_json = order_body(counterparty="BROKER-7", created_at=CREATED_AT.isoformat(), desk="EQ", a="é")
    assert decoded(in_avro, AVRO) == decoded(in_json)
    assert decoded(in_avro, AVRO).digest == decoded(in_json).digest
    assert decoded(in_avro, AVRO).extra == '{"a":"é","desk":"EQ"}'


@settings(deadline=None)
@given(
    st.decimals("0.00000001", "999999999999.99999999", places=8),
    st.none() | st.text(st.characters(categories=["L"]), min_size=1, max_size=64),
    st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001 - made UTC below
    st.dictionaries(
        st.text(st.characters(categories=["L"]), min_size=1).filter(lambda name: name not in FIELDS),
        st.text(st.characters(categories=["L"])),
    ),
)
def test_what_is_written_is_read_again(price, counterparty, created_at, extra):
    created_at = created_at and created_at.replace(tzinfo=UTC)
    order = decoded(single(price=price, counterparty=counterparty, created_at=created_at, extra=extra), AVRO)
    assert (order.price, order.counterparty) == (price, counterparty)
    assert order.created_at == (created_at or RECEIVED_AT)
    assert json.loads(order.extra) == extra


def test_the_shipped_schema_keeps_its_fingerprint():
    """Publishers have it in their bodies: a changed schema is a new file, not a change of this one."""
    assert single()[:10].hex() == "c301ce08f2c90cf34916"


def test_one_body_leaves_nothing_in_the_next(folder):
    older = v1_with(extra=ABSENT)
    known = folder(older)
    assert read(single(extra={"k": "v"}), known).extra == '{"k":"v"}'
    assert read(single(), known).extra == read(written(older), known).extra == "{}"


# --- Evolution


def test_a_field_of_a_newer_schema_is_kept_as_unknown_fields_are():
    v2 = json.loads((WRITERS / "validated_order.v2.avsc").read_bytes())
    assert read(written(v2, desk="EQ-1"), WRITERS) == decoded(order_body(desk="EQ-1"))
    assert read(written(v2), WRITERS) == decoded(order_body(desk=None))


def test_the_folder_of_the_configuration_is_where_decode_finds_further_schemas(configure):
    body = written(json.loads((WRITERS / "validated_order.v2.avsc").read_bytes()), desk="EQ-1")
    assert "fingerprint" in str(refusal(body, AVRO))
    configure("mq", avro_schemas=WRITERS)
    assert decoded(body, AVRO) == decoded(order_body(desk="EQ-1"))


def test_fields_that_an_older_schema_lacks_have_their_defaults(folder):
    older = v1_with(counterparty=ABSENT, created_at=ABSENT, extra=ABSENT)
    for _ in range(2):
        assert read(written(older), folder(older)) == decoded(order_body())


def test_unknown_fields_of_any_type_are_kept_exactly(folder):
    newer = v1_with(
        fee={"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 12},
        day={"type": "int", "logicalType": "date"},
        at={"type": "long", "logicalType": "timestamp-millis"},
        ratio="double",
        raw="bytes",
        legs={
            "type": "array",
            "items": {"type": "record", "name": "Leg", "fields": [{"name": "n", "type": "long"}]},
        },
        other="Side",
    )
    body = written(
        newer,
        fee=Decimal("0.000000000001"),
        day=date(2026, 2, 14),
        at=CREATED_AT,
        ratio=0.1,
        raw=b"\xff",
        legs=[{"n": 2**62}],
        other="SELL",
    )
    assert read(body, folder(newer)).extra == (
        '{"at":"2026-02-14T10:30:45.123000Z","day":"2026-02-14","fee":1E-12,"legs":[{"n":4611686018427387904}],'
        '"other":"SELL","ratio":0.1,"raw":"/w=="}'
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_unknown_double_that_json_does_not_have_is_refused(folder, value):
    newer = v1_with(ratio="double")
    with pytest.raises(InvalidOrder, match=r"ratio is (NaN|Infinity); expected a value of JSON"):
        read(written(newer, ratio=value), folder(newer))


def test_decimals_of_another_scale_are_read_by_the_writers(folder):
    finer = v1_with(price={"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 18}, v="int")
    assert read(written(finer, v=1), folder(finer)).price == Decimal("145.5")
    with pytest.raises(InvalidOrder, match=r"price is 1\.000000000E-9; expected a JSON number above 0"):
        read(written(finer, v=1, price=Decimal("1E-9")), folder(finer))


# --- Bad bodies


@pytest.mark.parametrize("body", [bare(counterparty="C", extra={"k": "v"}), single()], ids=["bare", "single"])
def test_a_body_cut_off_anywhere_is_refused(body):
    for length in range(len(body)):
        error = refusal(body[:length], AVRO)
        assert error.reason == "UNREADABLE"


def test_bytes_after_the_end_are_refused_and_counted():
    error = refusal(single() + b"\x00\x00", AVRO)
    assert error.reason == "UNREADABLE"
    assert str(error) == "The body is not Avro as validated_order.v1.avsc has it: 2 bytes follow its end"


def test_an_unknown_fingerprint_is_refused_and_says_which_are_known():
    error = refusal(b"\xc3\x01\x08\x07\x06\x05\x04\x03\x02\x01" + bare(), AVRO)
    known = single()[2:10][::-1].hex()
    assert error.reason == "UNREADABLE"
    assert str(error) == f"The Avro schema's fingerprint is 0102030405060708; expected one of {known}"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(number(2**40) + b"A", id="1 TiB of order id"),
        pytest.param(number(2**62) + b"A", id="4 EiB of order id"),
        pytest.param(number(-5) + b"ABCDEF", id="negative length"),
        pytest.param(number(-(2**63)) + b"ABCDEF", id="most negative length"),
        pytest.param(b"\xff" * 1000, id="endless number"),
        pytest.param(bare()[:-1] + number(2**62), id="a map of 4 Ei entries"),
        pytest.param(bare()[:-1] + number(-(2**62)) + number(1), id="a map block of negative count"),
    ],
)
def test_a_huge_length_is_refused_at_once(body):
    begun = time.process_time()
    assert refusal(body, AVRO).reason == "UNREADABLE"
    assert time.process_time() - begun < 0.5


def test_a_decimal_of_a_quarter_megabyte_is_refused_at_once():
    head = number(3) + b"A-1" + number(4) + b"AAPL" + number(0) + number(1) + b"\x01"
    body = head + number(250_000) + b"\x7f" * 250_000 + b"\x00\x00\x00"
    begun = time.process_time()
    error = refusal(body, AVRO)
    assert time.process_time() - begun < 0.5
    assert "a decimal of 250000 bytes" in str(error)


def test_a_decimal_of_more_digits_than_its_schema_has_is_refused_and_not_rounded(folder):
    def priced(precision: int) -> dict[str, Any]:
        return v1_with(
            price={"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": 2}, v="int"
        )

    known = folder(priced(3))
    assert read(written(priced(3), v=1, price=Decimal("1.23")), known).price == Decimal("1.23")
    # The fingerprint does not cover the precision: this writer is taken for the other.
    with pytest.raises(InvalidOrder, match="a decimal of more than 3 digits"):
        read(written(priced(9), v=1, price=Decimal("12.34")), known)


@pytest.mark.parametrize(
    ("changes", "reason", "path"),
    [
        ({"orderId": "a b"}, "BAD_VALUE", "orderId"),
        ({"symbol": ""}, "BAD_VALUE", "symbol"),
        ({"symbol": "A\x00"}, "BAD_VALUE", "symbol"),
        ({"price": Decimal(0)}, "BAD_VALUE", "price"),
        ({"price": Decimal(-1)}, "BAD_VALUE", "price"),
        ({"quantity": Decimal("-0.00000001")}, "BAD_VALUE", "quantity"),
        ({"counterparty": ""}, "BAD_VALUE", "counterparty"),
        ({"created_at": datetime(1960, 1, 1, tzinfo=UTC)}, "BAD_VALUE", "created_at"),
        ({"extra": {"k": "\x00"}}, "BAD_VALUE", "k"),
        ({"extra": {"price": "1"}}, "BAD_VALUE", "extra.price"),
    ],
)
def test_a_bad_value_in_avro_is_refused_as_in_json(changes, reason, path):
    error = refusal(single(**changes), AVRO)
    assert (error.reason, error.path) == (reason, path)


def test_a_time_beyond_all_calendars_is_refused():
    body = bare(created_at=CREATED_AT)
    micros = number((CREATED_AT - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
    assert refusal(body.replace(micros, number(2**62)), AVRO).reason == "UNREADABLE"


def test_json_under_an_avro_content_type_is_refused():
    assert refusal(order_body(), AVRO).reason == "UNREADABLE"


# --- Schema files


@pytest.mark.parametrize(
    ("form", "words"),
    [
        pytest.param("{", "not a usable Avro schema", id="not JSON"),
        pytest.param('"string"', "not a usable Avro schema", id="not a record"),
        pytest.param(
            {"type": "record", "name": "Other", "fields": []}, "a record named ValidatedOrder", id="name"
        ),
        pytest.param(v1_with(x="nonsense"), "nonsense", id="unknown type"),
        pytest.param(v1_with(x=["null", "ValidatedOrder"]), "contains itself", id="recursive"),
        pytest.param(
            v1_with(x={"type": "array", "items": "null"}), "items take no bytes", id="items without a size"
        ),
        pytest.param(
            v1_with(x={"type": "map", "values": {"type": "array", "items": NOTHING}}),
            "items take no bytes",
            id="empty records",
        ),
        pytest.param(
            v1_with(price={"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}),
            "have one fingerprint",
            id="same fingerprint, other scale",
        ),
    ],
)
def test_a_schema_file_that_cannot_be_used_is_refused_with_its_name(folder, form, words):
    path = folder(form) / "0.avsc"
    with pytest.raises(avro.BadSchemaFile) as caught:
        avro.schemas(path.parent)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(avro.BadSchemaFile, match="is not a folder"):
        avro.schemas(tmp_path / "missing")


def test_a_copy_of_the_shipped_schema_does_no_harm(folder):
    assert read(single(), folder(V1)) == decoded(order_body())


@pytest.mark.parametrize(
    "changes", [{"price": 0.5}, {"price": Decimal("1E-9")}, {"side": "HOLD"}, {"symbol": 1}]
)
def test_what_the_schema_cannot_hold_is_not_written(changes):
    with pytest.raises((ValueError, TypeError)):
        single(**changes)


def test_reading_leaves_checking_to_the_one_validator():
    fields = avro.schemas(None).read(single(price=Decimal(-1)))
    json_body.check(fields)
    with pytest.raises(InvalidOrder, match="price is -1"):
        schema._order(fields, RECEIVED_AT)
