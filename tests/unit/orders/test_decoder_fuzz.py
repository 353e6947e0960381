import json
import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from orders import avro, documents
from orders.invalid import InvalidOrder
from orders.schema import MAX_BODY, ValidatedOrder, decode
from tests.unit.orders.messages import RECEIVED_AT, order_body, order_fields

EXAMPLES = 40_000
FULL = {
    "counterparty": "BRÖKER-7",
    "created_at": "2026-02-14T10:30:45.123Z",
    "note": 'a"b',
    "legs": [{"n": Decimal("1.50")}, None, True, -7],
}
JSON_SEEDS = [order_body(), order_body(**FULL), json.dumps({"é": "日"} | order_fields(price=1)).encode()]
JSON_TOKENS = [
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u0000", b"\\ud800", b"\\udc00", b"\\n", b"\x00"),
    *(
        b"NaN",
        b"-Infinity",
        b"null",
        b"true",
        b"1e999999999",
        b"1E-9",
        b"-",
        b"0.",
        b"9" * 30,
        b"0" * 30,
        b"1e4300",
    ),
    *(
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b" ",
        b"\t",
        b'"price":',
        b'"orderId":"X",',
    ),
    *(
        b"[" * 40,
        b'{"a":' * 40,
        b"[" * 2000,
        b"2026-02-14T10:30:60Z",
        b"+99:99",
        b"9999-12-31T23:59:59-23:59",
    ),
]
AVRO_FIELDS = order_fields(
    counterparty="C", created_at=datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC), extra={"k": "v", "w": "x"}
)
AVRO_SEEDS = [
    avro.encode(fields, single_object=single)
    for fields in (order_fields(), AVRO_FIELDS)
    for single in (True, False)
]
AVRO_TOKENS = [
    *(b"\x00", b"\x01", b"\x02", b"\x7f", b"\x80", b"\xff", b"\xff" * 9 + b"\x01", b"\x80" * 9 + b"\x01"),
    *(b"\xff" * 12, b"\xc3\x01", b"\xfe\xff\xff\xff\x0f", b"\x10" + b"\x7f" * 8, b"\x80\x01" + b"\x7f" * 64),
]


def outcome_of(body: bytes, content_type: str | None) -> str:
    """What became of a body; whatever it was, what comes out can be stored and shown."""
    try:
        order = decode(body, content_type, RECEIVED_AT)
    except InvalidOrder as error:
        check_refusal(error)
        return error.reason
    check_order(order)
    return "ORDER"


def check_refusal(error: InvalidOrder) -> None:
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert error.path == "" or str(error).startswith(error.path)
    assert error.order_id is None or 0 < len(error.order_id) <= 64


def check_order(order: ValidatedOrder) -> None:
    assert 0 < order.price < 10**12
    assert order.price == round(order.price, 8)
    assert "\x00" not in order.extra
    fields = json.loads(documents.router_body(order).decode(), parse_float=Decimal, parse_int=Decimal)
    assert (fields["price"], fields["quantity"]) == (order.price, order.quantity)
    assert fields["symbol"] == order.symbol


def mutated(seed: bytes, tokens: list[bytes], rng: random.Random) -> bytes:
    """`seed` with one to four wounds."""
    body = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at, end = sorted(rng.choices(range(len(body) + 1), k=2))
        match rng.randrange(6):
            case 0 if body:
                body[at % len(body)] ^= 1 << rng.randrange(8)
            case 1:
                body[at:at] = rng.choice(tokens)
            case 2:
                body[at : at + rng.randint(1, 8)] = rng.choice(tokens)
            case 3:
                del body[at : min(end, at + 12)]
            case 4:
                body[at:at] = body[at:end]
            case _:
                body[at : at + 1] = bytes([rng.randrange(256)])
    return bytes(body)


def fuzz(seeds: list[bytes], tokens: list[bytes], content_type: str) -> Counter[str]:
    rng = random.Random(20260214)  # noqa: S311 - repeatable, not secret
    return Counter(outcome_of(mutated(rng.choice(seeds), tokens, rng), content_type) for _ in range(EXAMPLES))


def test_wounded_json_ends_as_an_order_or_as_a_refusal():
    outcomes = fuzz(JSON_SEEDS, JSON_TOKENS, "application/json")
    assert set(outcomes) == {"ORDER", "UNREADABLE", "MISSING_FIELD", "BAD_VALUE"}
    assert min(outcomes.values()) > EXAMPLES // 200


def test_wounded_avro_ends_as_an_order_or_as_a_refusal():
    outcomes = fuzz(AVRO_SEEDS, AVRO_TOKENS, "avro/binary")
    assert set(outcomes) == {"ORDER", "UNREADABLE", "BAD_VALUE"}
    assert min(outcomes.values()) > EXAMPLES // 200


CONTENT_TYPES = st.none() | st.text() | st.sampled_from(["application/json", "avro/binary"])
much = settings(deadline=None, max_examples=150)


@much
@given(st.binary(max_size=400), CONTENT_TYPES)
def test_any_bytes_of_any_content_type_end_as_an_order_or_as_a_refusal(body, content_type):
    outcome_of(body, content_type)


FIELDS = ["orderId", "symbol", "side", "quantity", "price", "counterparty", "created_at", "unknown"]
ANY_TEXT = st.text(st.characters(), max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
)


@much
@given(
    st.dictionaries(st.sampled_from(FIELDS), ANY_JSON),
    st.booleans(),
)
def test_any_json_in_any_field_ends_as_an_order_or_as_a_refusal(changes, ascii_only):
    text = json.dumps(order_fields(price=1) | changes, ensure_ascii=ascii_only)
    outcome_of(text.encode("utf-8", "surrogatepass"), None)


def test_the_largest_bodies_are_read_in_bounded_time():
    fillers = [
        b"[",
        b'{"a":',
        b'"',
        b"1",
        b"0.",
        b"\\u0000",
        b"{}",
        b"[],",
        b'"a":1,',
        b"\xff",
        b" ",
        b"-",
        b"e9",
    ]
    begun = datetime.now(UTC)
    for filler in fillers:
        body = (b'{"orderId":"A","x":' + filler * MAX_BODY)[:MAX_BODY]
        outcome_of(body, None)
        outcome_of((b"\xc3\x01" + body)[:MAX_BODY], "avro/binary")
        outcome_of(body, "avro/binary")
    assert (datetime.now(UTC) - begun).total_seconds() < 10
