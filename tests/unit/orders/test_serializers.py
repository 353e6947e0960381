from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orders.api.serializers import OrderSerializer
from orders.models import Order

CREATED_AT = datetime(2026, 2, 14, 10, 30, 45, 123456, tzinfo=UTC)


@pytest.mark.parametrize("routed_at", [None, CREATED_AT + timedelta(seconds=1)])
def test_an_order_is_written_at_once_as_its_fields_would_write_it(routed_at):
    order = Order(
        order_id="ORD-1",
        status="ROUTED" if routed_at else "PLACED",
        symbol="AAPL",
        side="BUY",
        quantity=Decimal(100),
        price=Decimal("145.50"),
        counterparty=None,
        route="NASDAQ-EXECUTION-1" if routed_at else None,
        needs_review=False,
        review_reason="",
        version=2,
        created_at=CREATED_AT,
        routed_at=routed_at,
        updated_at=CREATED_AT,
    )
    written = OrderSerializer(order)
    by_fields = super(OrderSerializer, written).to_representation(order)
    assert list(written.data) == list(by_fields) == OrderSerializer.Meta.fields
    assert {name: _plain(value) for name, value in written.data.items()} == {
        name: _plain(value) for name, value in by_fields.items()
    }


def _plain(value):
    return value if value is None or isinstance(value, str | int) else bytes(value)
