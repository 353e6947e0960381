"""The operators' console, and what the same people do over REST."""

from __future__ import annotations

from pydantic import Field

from order_entry_project.config.limits import Limit
from order_entry_project.config.values import Seconds, Section


class Console(Section):
    four_eyes_above: Limit = Field(
        None,
        description="A route by hand of an order with a larger notional (quantity times price) waits for a second "
        "person, in the console and over REST; null: none does.",
    )
    approval_expires_after: Seconds = Field(
        8 * 3600.0, description="How long such a route waits; then it has to be asked for again."
    )
    session_idle: Seconds = Field(
        3600.0, description="A person who does nothing in the console for so long is logged out."
    )
    session_lifetime: Seconds = Field(
        8 * 3600.0, description="The longest that a log-in to the console lasts, whatever its person does."
    )
