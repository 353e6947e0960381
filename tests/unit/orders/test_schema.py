import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orders import json_body
from orders.schema import MAX_BODY, InvalidOrder
from tests.unit.orders.messages import (
    ABSENT,
    FIVE,
    RECEIVED_AT,
    decoded,
    order_body,
    order_fields,
    refusal,
    with_price,
)

NUMBER = "a JSON number above 0 with at most 12 digits before the point and 8 after it"
TIME = "an RFC 3339 time with its zone, 1970 to 2199, such as 2026-02-14T10:30:45Z"


# --- Good orders


def test_the_five_required_fields_make_an_order():
    order = decoded(FIVE)
    assert (order.order_id, order.symbol, order.side) == ("ORD-20260214-001", "AAPL", "BUY")
    assert (order.quantity, order.price) == (Decimal(100), Decimal("145.50"))
    assert (order.counterparty, order.extra) == (None, "{}")
    assert order.created_at == RECEIVED_AT


def test_the_specs_manual_order_is_read():
    order = decoded(
        b"""{
          "orderId": "TEST-001",
          "symbol": "MSFT",
          "side": "SELL",
          "quantity": 50,
          "price": 420.00
        }"""
    )
    assert (order.order_id, order.side, order.quantity, order.price) == ("TEST-001", "SELL", 50, 420)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e2", "100"),
        ("1.000000000", "1"),
        ("0.00000001", "0.00000001"),
        ("1E-8", "0.00000001"),
        ("999999999999.99999999", "999999999999.99999999"),
        ("0.1", "0.1"),
        ("1000000000000e-1", "100000000000"),
        ("1." + "0" * 5000, "1"),
    ],
)
def test_a_number_is_taken_by_value(text, value):
    assert decoded(with_price(text)).price == Decimal(value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-02-14T10:30:45Z", datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)),
        ("2026-02-14t10:30:45.5z", datetime(2026, 2, 14, 10, 30, 45, 500000, tzinfo=UTC)),
        ("2026-02-14T12:30:45+02:00", datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)),
        ("2026-02-14T10:30:45.123456789-00:00", datetime(2026, 2, 14, 10, 30, 45, 123456, tzinfo=UTC)),
    ],
)
def test_a_time_is_normalised_to_utc_with_microseconds(text, instant):
    created_at = decoded(order_body(created_at=text)).created_at
    assert created_at == instant
    assert created_at.tzinfo is UTC


def test_null_in_an_optional_field_is_its_absence():
    assert decoded(order_body(counterparty=None, created_at=None)) == decoded(FIVE)


@pytest.mark.parametrize("order_id", ["A", "a.b_c:d-9", "X" * 64])
def test_an_order_id_of_the_allowed_characters_is_taken(order_id):
    assert decoded(order_body(orderId=order_id)).order_id == order_id


@pytest.mark.parametrize("symbol", ["BRK B", "日経225", "S" * 32, 'q"\\q', "😀"])
def test_a_printable_symbol_is_taken_as_it_is(symbol):
    assert decoded(order_body(symbol=symbol)).symbol == symbol


def test_escapes_and_white_space_do_not_matter():
    body = b' \n{ "order\\u0049d" : "\\u0041-1", "symbol":"AAPL","side":"BUY","quantity":1,"price":1 }\r\n\t '
    assert decoded(body).order_id == "A-1"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/vnd.desk.order+json",
    ],
)
def test_json_is_read_by_default_and_where_it_is_said(content_type):
    assert decoded(FIVE, content_type) == decoded(FIVE)


# --- Bad values


def test_a_body_over_the_limit_is_refused_before_it_is_parsed():
    error = refusal(order_body(note="x" * 1_048_576))
    assert error.reason == "TOO_LARGE"
    assert (
        str(error) == f"The body has {len(order_body(note='x' * 1_048_576))} bytes; expected at most 262144"
    )
    assert error.order_id == "ORD-20260214-001"


def test_a_body_of_exactly_the_limit_is_taken():
    room = MAX_BODY - len(order_body(note=""))
    assert decoded(order_body(note="x" * room)).symbol == "AAPL"
    assert refusal(order_body(note="x" * (room + 1))).reason == "TOO_LARGE"


@pytest.mark.parametrize("name", ["orderId", "symbol", "side", "quantity", "price"])
def test_a_message_without_a_required_field_is_refused_and_says_which(name):
    error = refusal(order_body(**{name: ABSENT}))
    assert (error.reason, error.path) == ("MISSING_FIELD", name)
    assert str(error).startswith(f"{name} is missing; expected ")


@pytest.mark.parametrize("name", ["orderId", "symbol", "side", "quantity", "price"])
@pytest.mark.parametrize("value", [None, True, [], {}, ["BUY"], "", " "], ids=repr)
def test_a_required_field_with_another_type_is_refused(name, value):
    error = refusal(order_body(**{name: value}))
    assert (error.reason, error.path) == ("BAD_VALUE", name)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"orderId": "a b"}, "orderId is 'a b'; expected 1 to 64 characters of A-Z a-z 0-9 . _ : -"),
        ({"orderId": "é"}, "orderId is 'é'; expected 1 to 64 characters of A-Z a-z 0-9 . _ : -"),
        ({"orderId": "A\n"}, "orderId is 'A\\n'; expected 1 to 64 characters of A-Z a-z 0-9 . _ : -"),
        ({"side": "buy"}, "side is 'buy'; expected BUY or SELL"),
        ({"side": 1}, "side is 1; expected BUY or SELL"),
        (
            {"symbol": " AAPL"},
            "symbol is ' AAPL'; expected 1 to 32 printable characters without white space around them",
        ),
        (
            {"counterparty": ""},
            "counterparty is ''; expected 1 to 64 printable characters without white space around them",
        ),
        (
            {"price": "145.50"},
            f"price is '145.50'; expected {NUMBER}",
        ),
        (
            {"created_at": "2026-02-14"},
            f"created_at is '2026-02-14'; expected {TIME}",
        ),
    ],
)
def test_a_bad_value_is_refused_in_a_sentence(changes, sentence):
    error = refusal(order_body(**changes))
    assert error.reason == "BAD_VALUE"
    assert str(error) == sentence


def test_an_order_id_of_65_characters_is_refused_and_shown_shortened():
    error = refusal(order_body(orderId="X" * 65))
    assert error.message.startswith(f"is '{'X' * 38}…; ")
    assert error.order_id is None


@pytest.mark.parametrize(
    "symbol", ["S" * 33, "A\tB", "A\x7f", "A\u2028B", "A ", "\u00a0A", "\u202eA", "A\u0301\u200b"]
)
def test_a_symbol_that_is_too_long_or_not_printable_is_refused(symbol):
    assert refusal(order_body(symbol=symbol)).path == "symbol"


def test_a_counterparty_of_65_characters_is_refused():
    assert decoded(order_body(counterparty="C" * 64)).counterparty == "C" * 64
    assert refusal(order_body(counterparty="C" * 65)).path == "counterparty"


@pytest.mark.parametrize("name", ["price", "quantity"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0", id="zero"),
        pytest.param("-0.0", id="minus zero"),
        pytest.param("-1", id="negative"),
        pytest.param("0.123456789", id="nine decimals"),
        pytest.param("1000000000000", id="thirteen digits before the point"),
        pytest.param("999999999999.999999995", id="too precise at the top"),
        pytest.param("1e999999999", id="giant exponent"),
        pytest.param("1e-999999999", id="tiny exponent"),
        pytest.param("9" * 200_000, id="200,000 digits"),
        pytest.param("0." + "0" * 200_000 + "1", id="200,000 decimals"),
        pytest.param("true", id="boolean"),
        pytest.param('"1"', id="text"),
    ],
)
def test_a_number_out_of_bounds_is_refused_at_once(name, text):
    body = order_body(**{name: 987654}).replace(b"987654", text.encode())
    begun = time.process_time()
    error = refusal(body)
    assert time.process_time() - begun < 0.5
    assert (error.reason, error.path) == ("BAD_VALUE", name)
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-14T10:30:45",
        "2026-02-14 10:30:45Z",
        "2026-02-30T10:30:45Z",
        "2026-02-14T24:00:01Z",
        "2026-02-14T10:30:60Z",
        "2026-02-14T10:30:45+25:00",
        "2026-02-14T10:30:45.Z",
        "20260214T103045Z",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "٢٠٢٦-02-14T10:30:45Z",
        "",
    ],
)
def test_a_time_that_is_no_rfc_3339_instant_of_our_age_is_refused(text):
    assert refusal(order_body(created_at=text)).path == "created_at"


@pytest.mark.parametrize("value", [1771065045, True, {}, []])
def test_a_time_that_is_no_text_is_refused(value):
    assert refusal(order_body(created_at=value)).path == "created_at"


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "application/json; charset=latin-1", "application/x-protobuf", "\x00\ud800"],
)
def test_an_unsupported_content_type_is_refused_and_says_what_is_supported(content_type):
    error = refusal(FIVE, content_type)
    assert error.reason == "UNREADABLE"
    assert "expected application/json in UTF-8, or Avro: avro/binary" in str(error)


def test_the_order_id_is_told_where_it_can_be_read_without_doubt():
    assert refusal(b'{"orderId": "A-1", ').order_id == "A-1"
    assert refusal(b'{"orderId": "A-1", "orderId": "A-2"}').order_id is None
    assert refusal(b'{"orderId": "A 1", ').order_id is None
    assert refusal(order_body(price=-1)).order_id == "ORD-20260214-001"


# --- An object that another reader than JSON's has made


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"price": 145.5}, "price"),
        ({"price": Decimal("NaN")}, "price"),
        ({"price": Decimal("Infinity")}, "price"),
        ({"price": 10**5000}, "price"),
        ({"note": 1.5}, "note"),
        ({"note": [b"x"]}, "note.0"),
        ({"note": {1: 2}}, "note.1"),
        ({"note": "\ud800"}, "note"),
    ],
)
def test_what_is_not_exact_json_is_refused_in_an_object_from_elsewhere(changes, path):
    with pytest.raises(InvalidOrder) as caught:
        json_body.check(order_fields(**changes))
    assert (caught.value.reason, caught.value.path) == ("BAD_VALUE", path)
