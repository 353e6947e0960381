"""The richer forms of an order, and the filters of the list."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Raw
from rest_framework import serializers

from orders import documents
from orders.api.exact_json import ExactNumber, Time
from orders.api.strict import NameField
from orders.lifecycle import Status
from orders.models import Order, OrderEvent
from orders.names import LONGEST_COUNTERPARTY, LONGEST_SYMBOL

# The columns that an order is shown by.
SHOWN = ("order_id", *documents.LISTED, "version", "created_at", "routed_at", "updated_at")


class OrderSerializer(serializers.ModelSerializer[Order]):
    orderId = serializers.CharField(source="order_id")  # noqa: N815 - the spec's name
    quantity = ExactNumber(documents.quantity_text)
    price = ExactNumber(documents.price_text)
    created_at = Time()
    routed_at = Time(allow_null=True)
    updated_at = Time()

    class Meta:
        model = Order
        fields: ClassVar = [
            "orderId",
            *SHOWN[1:],
        ]
        read_only_fields = fields

    def to_representation(self, instance: Order) -> dict[str, Any]:
        """What the fields above say, without asking each of them: of a page of a hundred that is most of the work."""
        return {
            "orderId": instance.order_id,
            "status": instance.status,
            "symbol": instance.symbol,
            "side": instance.side,
            "quantity": Raw(documents.quantity_text(instance.quantity).encode()),
            "price": Raw(documents.price_text(instance.price).encode()),
            "counterparty": instance.counterparty,
            "route": instance.route,
            "needs_review": instance.needs_review,
            "review_reason": instance.review_reason,
            "version": instance.version,
            "created_at": documents.time_text(instance.created_at),
            "routed_at": instance.routed_at and documents.time_text(instance.routed_at),
            "updated_at": documents.time_text(instance.updated_at),
        }


class OrderEventSerializer(serializers.ModelSerializer[OrderEvent]):
    at = Time()

    class Meta:
        model = OrderEvent
        fields: ClassVar = ["sequence", "event", "actor", "reason", "at"]
        read_only_fields = fields


class OrderFilter(serializers.Serializer[Any]):
    """Query parameters of the list; whatever else is asked for is refused."""

    status = serializers.ChoiceField(
        Status.choices,
        required=False,
        error_messages={"invalid_choice": "{input!r} is none of " + ", ".join(Status.values)},
    )
    counterparty = NameField(max_length=LONGEST_COUNTERPARTY, required=False)
    symbol = NameField(max_length=LONGEST_SYMBOL, required=False)
    needs_review = serializers.BooleanField(
        required=False, error_messages={"invalid": "{input!r} is neither true nor false"}
    )

    def to_internal_value(self, data: Any) -> Any:
        paging = {"cursor", "limit"}
        unknown = sorted(set(data) - set(self.fields) - paging)
        if unknown:
            allowed = ", ".join(sorted({*self.fields, *paging}))
            raise serializers.ValidationError(
                {name: [f"no such filter; there are {allowed}"] for name in unknown}
            )
        return super().to_internal_value(data)
