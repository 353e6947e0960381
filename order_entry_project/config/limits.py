"""Sanity limits before routing."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from order_entry_project.config.values import Section

Limit = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)] | None


class Limits(Section):
    """What exceeds one waits for a person, who may let it through."""

    max_quantity: Limit = Field(None, description="Largest quantity of an order; null: any.")
    max_notional: Limit = Field(None, description="Largest quantity times price of an order; null: any.")
    max_price_move: Limit = Field(
        None,
        description="Per cent that an order's price may be away from the last one routed of its symbol; null: any.",
    )
