import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders.schema import ValidatedOrder, content_of, decode, entered_content
from tests.unit.orders.messages import FIVE, RECEIVED_AT, decoded, order_body, with_price


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


def test_content_has_numbers_and_times_by_value():
    def content(price: str, zone: timezone) -> bytes:
        return content_of(
            symbol="AAPL",
            side="BUY",
            quantity=Decimal(100),
            price=Decimal(price),
            counterparty=None,
            created_at=datetime(2026, 2, 14, 10, 30, tzinfo=UTC).astimezone(zone),
        )

    assert content("145.5", UTC) == content("145.50000000", timezone(timedelta(hours=5)))
    order = decoded(order_body(created_at="2026-02-14T10:30:00Z"))
    assert sha256(content("145.5", UTC)).digest() == order.digest


@pytest.mark.parametrize("body", [FIVE, order_body()], ids=["without a time", "with a time"])
def test_the_content_that_was_entered_is_found_and_no_other(body):
    order = decoded(body)
    book = {name: getattr(order, name) for name in ("symbol", "side", "quantity", "price", "counterparty")}
    found = entered_content(order.digest, **book, created_at=order.created_at)
    assert sha256(found).digest() == order.digest
    altered = book | {"price": Decimal("145.51")}
    assert entered_content(order.digest, **altered, created_at=order.created_at) is None
