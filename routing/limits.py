"""Sanity limits: what the machine does not route unless a person has looked at it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from orders.documents import price_text, quantity_text

if TYPE_CHECKING:
    from orders.schema import ValidatedOrder


@dataclass(slots=True, frozen=True)
class Limits:
    """`max_price_move`: per cent away from the last price of the symbol. None: no such limit."""

    max_quantity: Decimal | None = None
    max_notional: Decimal | None = None
    max_price_move: Decimal | None = None

    @property
    def any(self) -> bool:
        return any(limit is not None for limit in (self.max_quantity, self.max_notional, self.max_price_move))

    def exceeded(self, order: ValidatedOrder, last_price: Decimal | None) -> str:
        """Which limits, and by how much; empty for an order within all of them."""
        objections = []
        if self.max_quantity is not None and order.quantity > self.max_quantity:
            objections.append(
                f"its quantity {quantity_text(order.quantity)} is {_share(order.quantity, self.max_quantity)} of "
                f"limits.max_quantity {quantity_text(self.max_quantity)}"
            )
        if self.max_notional is not None and (notional := order.quantity * order.price) > self.max_notional:
            objections.append(
                f"its quantity times price {price_text(notional)} is {_share(notional, self.max_notional)} of "
                f"limits.max_notional {price_text(self.max_notional)}"
            )
        if last_price is not None and self.moves_too_far(order.price, last_price):
            objections.append(
                f"its price {price_text(order.price)} is {abs(order.price / last_price - 1):.1%} away from "
                f"{price_text(last_price)}, the last of {order.symbol}; "
                f"limits.max_price_move is {self.max_price_move} %"
            )
        return "; ".join(objections)

    def moves_too_far(self, price: Decimal, last_price: Decimal) -> bool:
        return (
            self.max_price_move is not None
            and 100 * abs(price - last_price) > self.max_price_move * last_price
        )


def _share(value: Decimal, limit: Decimal) -> str:
    return f"{value / limit:.1%}"
