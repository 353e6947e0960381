"""What PostgreSQL gives back of an order is what came off the wire."""

import msgspec
import pytest

from orders.documents import router_body
from tests.unit.orders.messages import decoded, order_body

FIVE = order_body()


@pytest.mark.parametrize(
    "unknown",
    [
        b'"n": [1.50, -0, 0e-12, 1e400, 123456789012345678901234567890.123456789]',
        b'"n": ' + b"9" * 5000,
        b'"\\u2028\\"\\\\\\/": "\\ud83d\\ude00 \\u007f \\uffff \\t"',
        b'"a": ' + b"[" * 31 + b"]" * 31,
        '"日": {"": [null, true, {}], "B": "é", "a": ""}'.encode(),
    ],
)
def test_unknown_fields_come_back_to_the_letter(database, unknown):
    extra = decoded(FIVE[:-1] + b"," + unknown + b"}").extra
    with database.connect() as connection:
        assert connection.execute("SELECT %s::json::text", [extra]).fetchone() == (extra,)


@pytest.mark.parametrize(
    "body",
    [
        FIVE,
        FIVE.replace(b"145.50", b"1455e-1"),
        FIVE.replace(b"145.50", b"0.00000001"),
        FIVE.replace(b"145.50", b"999999999999.99999999"),
        FIVE.replace(b"100", b"1e2"),
        order_body(created_at="2026-02-14T10:30:45.123456789+05:30"),
        order_body(created_at="1970-01-01T00:00:00.000999Z"),
    ],
)
def test_the_router_body_of_a_stored_order_is_byte_for_byte_the_one_from_the_wire(database, body):
    order = decoded(body)
    with database.connect() as connection:
        quantity, price, created_at = connection.execute(
            "SELECT %s::numeric(20, 8), %s::numeric(20, 8), %s::timestamptz",
            [order.quantity, order.price, order.created_at],
        ).fetchone()
    stored = msgspec.structs.replace(order, quantity=quantity, price=price, created_at=created_at)
    assert router_body(stored) == router_body(order)
