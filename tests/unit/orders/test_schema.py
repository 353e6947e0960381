import json
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.schema import MAX_BODY, InvalidOrder, ValidatedOrder, decode, digest_of, validate
from tests.unit.orders.messages import ABSENT, RECEIVED_AT, decoded, order_body, order_fields, refusal

FIVE = order_body()
NUMBER = "a JSON number above 0 with at most 12 digits before the point and 8 after it"
TIME = "an RFC 3339 time with its zone, 1970 to 2199, such as 2026-02-14T10:30:45Z"


def with_price(text: str) -> bytes:
    return FIVE.replace(b"145.50", text.encode())


def extra_of(text: str) -> str:
    """What is kept of a body with these unknown fields."""
    return decoded(FIVE[:-1] + b"," + text.encode() + b"}").extra


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


# --- Unknown fields


def test_unknown_fields_are_kept_as_canonical_json():
    assert extra_of('"z": 1, "a": {"y": [true, null], "b": "x"}') == '{"a":{"b":"x","y":[true,null]},"z":1}'


@pytest.mark.parametrize(
    "number", ["1.50", "-0", "-0.00", "123456789012345678901234567890.123456789", "9" * 5000]
)
def test_a_number_in_an_unknown_field_is_kept_to_the_last_digit(number):
    assert extra_of(f'"n": {number}') == f'{{"n":{number}}}'


def test_a_giant_exponent_in_an_unknown_field_stays_one():
    assert extra_of('"n": 1e999999999') == '{"n":1E+999999999}'


def test_unknown_fields_may_nest_to_the_limit_but_not_beyond():
    def nested(levels: int) -> bytes:
        return FIVE[:-1] + b',"a":' + b"[" * levels + b"]" * levels + b"}"

    assert decoded(nested(31)).extra == f'{{"a":{"[" * 31}{"]" * 31}}}'
    assert "nested deeper than 32 levels" in str(refusal(nested(32)))


def test_many_brackets_side_by_side_are_no_depth():
    assert extra_of(f'"a": [{",".join(["{}"] * 100)}]').count("{}") == 100


# --- Bad input, class by class


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "The body is empty", id="empty"),
        pytest.param(b" \n ", "The body is empty", id="blank"),
        pytest.param(b"<order/>", "not JSON: Expecting value at line 1, column 1, near '<order/>'", id="xml"),
        pytest.param(b'{\n"a": 1,\n"b" 2}', "line 3, column 5", id="syntax error"),
        pytest.param(FIVE[:-1], "near its end", id="cut off"),
        pytest.param(FIVE + b"x", "Extra data at line 1, column 90, near 'x'", id="more after its end"),
        pytest.param(b'{"a":"\n"}', "Invalid control character at line 1", id="raw control character"),
        pytest.param(b'{"a":"\x00"}', "Invalid control character", id="raw NUL"),
        pytest.param(b"{'a':1}", "property name enclosed in double quotes", id="single quotes"),
        pytest.param(b'{"a":01}', "not JSON", id="leading zero"),
        pytest.param(b'{"a":.5}', "not JSON", id="no digit before the point"),
        pytest.param(b'{"a":\xff}', "not UTF-8: byte 0xff at offset 5", id="bad UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "not UTF-8", id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\xc0\x80"}', "not UTF-8", id="overlong UTF-8"),
        pytest.param(FIVE.decode().encode("utf-16"), "not UTF-8: byte 0xff at offset 0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + FIVE, "begins with a byte order mark", id="byte order mark"),
        pytest.param(b"[]", "The body is a list; expected a JSON object", id="list"),
        pytest.param(b'"x"', "The body is 'x'; expected a JSON object", id="text"),
        pytest.param(b"null", "The body is null; expected a JSON object", id="null"),
        pytest.param(b"NaN", "The body is NaN", id="NaN alone"),
        pytest.param(b"[" * 200_000, "nested deeper than 32 levels", id="brackets only"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, "nested deeper than 32 levels", id="deep objects"),
        pytest.param(b'{"a":1,"b":2,"a":1}', "The body gives 'a' twice", id="duplicate key"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_and_says_why(body, words):
    error = refusal(body)
    assert (error.reason, error.path) == ("UNREADABLE", "")
    assert words in str(error)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        pytest.param('"x": NaN', "x", "x is NaN, which JSON does not have", id="NaN"),
        pytest.param('"x": [1, -Infinity]', "x.1", "x.1 is -Infinity", id="Infinity"),
        pytest.param(
            '"x": {"y": [0, {"k": 1, "k": 1}]}', "x.y.1", "x.y.1 gives 'k' twice", id="nested duplicate"
        ),
        pytest.param(
            '"x": 1e99999999999999999999', "x", "x is 1e99999999999999999999", id="number no decimal holds"
        ),
    ],
)
def test_what_is_unreadable_within_a_body_is_refused_with_its_path(text, path, words):
    error = refusal(FIVE[:-1] + b"," + text.encode() + b"}")
    assert (error.reason, error.path) == ("UNREADABLE", path)
    assert words in str(error)
    assert error.order_id == "ORD-20260214-001"


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        pytest.param('"x": "a\\u0000b"', "x", "expected text without NUL", id="NUL in a value"),
        pytest.param('"x": {"a\\u0000": 1}', "x.'a\\x00'", "expected text without NUL", id="NUL in a name"),
        pytest.param('"x": ["\\ud800"]', "x.0", "half a surrogate pair", id="lone surrogate"),
        pytest.param('"\\udc00x": 1', "'\\udc00x'", "half a surrogate pair", id="lone surrogate in a name"),
    ],
)
def test_text_that_postgresql_cannot_hold_is_refused_with_its_path(text, path, words):
    error = refusal(FIVE[:-1] + b"," + text.encode() + b"}")
    assert (error.reason, error.path) == ("BAD_VALUE", path)
    assert words in str(error)


def test_a_whole_surrogate_pair_is_one_character():
    assert extra_of('"x": "\\ud83d\\ude00"') == '{"x":"😀"}'


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


def test_a_message_of_an_error_is_short_whatever_the_body():
    text = '"\\u0000"'
    for _ in range(12):
        text = f'{{"{"n" * 10_000}":[{text}]}}'
    error = refusal(text.encode())
    assert error.reason == "BAD_VALUE"
    assert len(str(error)) < 300
    assert str(error).isprintable()


# --- An object that someone else has read


def test_validate_takes_decimals_and_integers_and_leaves_its_argument_alone():
    fields = order_fields(price=Decimal("145.5"), note={"n": [1, Decimal("1.50")]})
    before = dict(fields)
    order = validate(fields, RECEIVED_AT)
    assert order == decoded(order_body(note={"n": [1, Decimal("1.50")]}))
    assert fields == before


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
def test_validate_refuses_what_is_not_exact_json(changes, path):
    with pytest.raises(InvalidOrder) as caught:
        validate(order_fields(**changes), RECEIVED_AT)
    assert (caught.value.reason, caught.value.path) == ("BAD_VALUE", path)


# --- Digest


def test_the_digest_is_stable_across_releases():
    """Marks and rows of earlier releases hold it: changing it means taking every redelivery for a conflict."""
    body = order_body(counterparty="BROKER-7", created_at="2026-02-14T10:30:45.5Z")
    assert decoded(body).digest.hex() == "aaf3700103c9508b6fcca0472aedc63b7fb440a7c598e8ece611e2d5d5d2ae06"
    assert decoded(FIVE).digest.hex() == "59224d117729a3f6daac001670a9cc59280a0b0ce32b3b0f5f8ec44f6e636851"


FIELDS = st.fixed_dictionaries(
    {
        "orderId": st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True),
        "symbol": st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=32),
        "side": st.sampled_from(["BUY", "SELL"]),
        "quantity": st.decimals("0.00000001", "999999999999.99999999", places=8),
        "price": st.decimals("0.00000001", "999999999999.99999999", places=8),
    },
    optional={
        "counterparty": st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=64),
        "created_at": st.datetimes(
            datetime(1971, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
            datetime(2199, 1, 1),  # noqa: DTZ001
            timezones=st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
                lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
            ),
        ).map(datetime.isoformat),
        "note": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        "legs": st.lists(st.integers() | st.none() | st.booleans()),
    },
)
many = settings(deadline=None, max_examples=200)


@many
@given(FIELDS, st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_key_order_white_space_and_escapes_do_not_change_an_order(fields, random, indent, ascii_only):
    def numbers_as_marks(value: object) -> str:
        return f"<{value}>"

    names = list(fields)
    random.shuffle(names)
    text = json.dumps(
        {name: fields[name] for name in names},
        indent=indent,
        ensure_ascii=ascii_only,
        default=numbers_as_marks,
    )
    for name in ("quantity", "price"):
        text = text.replace(f'"<{fields[name]}>"', f"{fields[name]}")
    order = decoded(text.encode())
    assert order == decoded(order_body(**fields))
    assert (order.price, order.symbol) == (fields["price"], fields["symbol"])


@many
@given(FIELDS)
def test_an_order_is_the_same_when_its_fields_are_sent_again(fields):
    order = decoded(order_body(**fields))
    again = {**json.loads(order.extra), **fields}
    assert decoded(order_body(**again)) == order


@pytest.mark.parametrize("text", ["145.5", "145.50", "145.500000000000", "1455e-1", "0.1455E+3", "14550E-2"])
def test_a_number_written_differently_gives_the_same_digest(text):
    assert decoded(with_price(text)).digest == decoded(FIVE).digest


def test_a_time_written_differently_gives_the_same_digest():
    texts = ["2026-02-14T10:30:45Z", "2026-02-14T10:30:45.000Z", "2026-02-14T05:30:45-05:00"]
    assert len({decoded(order_body(created_at=text)).digest for text in texts}) == 1


def test_ids_and_unknown_fields_are_not_in_the_digest():
    assert decoded(order_body(orderId="OTHER", note="x")).digest == decoded(FIVE).digest


def test_the_time_of_receipt_is_not_in_the_digest():
    later = RECEIVED_AT + timedelta(seconds=1)
    assert decode(FIVE, None, later).digest == decoded(FIVE).digest
    assert decoded(order_body(created_at=RECEIVED_AT.isoformat())).digest != decoded(FIVE).digest


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "AAPL2"},
        {"side": "SELL"},
        {"quantity": Decimal("100.00000001")},
        {"price": Decimal("145.50000001")},
        {"counterparty": "C"},
        {"created_at": "2026-02-14T10:30:45Z"},
        {"quantity": Decimal("145.50"), "price": 100},
    ],
)
def test_any_change_of_a_named_field_changes_the_digest(changes):
    assert decoded(order_body(**changes)).digest != decoded(FIVE).digest


@many
@given(FIELDS, FIELDS)
def test_digests_are_equal_exactly_when_the_contents_are(one, other):
    def content(order: ValidatedOrder, fields: dict[str, object]) -> tuple[object, ...]:
        created_at = order.created_at if "created_at" in fields else None
        return order.symbol, order.side, order.quantity, order.price, order.counterparty, created_at

    first, second = decoded(order_body(**one)), decoded(order_body(**other))
    assert (first.digest == second.digest) == (content(first, one) == content(second, other))


def test_text_cannot_move_from_one_field_to_the_next():
    one = order_body(symbol='A",null,"', counterparty="B")
    assert decoded(one).digest != decoded(order_body(symbol="A", counterparty=',null,"B')).digest


def test_digest_of_takes_numbers_and_times_by_value():
    def digest(price: str, zone: timezone) -> bytes:
        return digest_of(
            symbol="AAPL",
            side="BUY",
            quantity=Decimal(100),
            price=Decimal(price),
            counterparty=None,
            created_at=datetime(2026, 2, 14, 10, 30, tzinfo=UTC).astimezone(zone),
        )

    assert digest("145.5", UTC) == digest("145.50000000", timezone(timedelta(hours=5)))
    assert digest("145.5", UTC) == decoded(order_body(created_at="2026-02-14T10:30:00Z")).digest
