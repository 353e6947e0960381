"""What was published into the consumer queue, as its sender knows it: the one side that every proof compares with.

Bodies are read here with nothing of the service's own, so that an error in its validator is found, not shared.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from consumers.sample_orders import Mix, Samples
from consumers.transport import Message

SMALLEST_BATCH = 10

_NAMED = ("orderId", "symbol", "side", "quantity", "price", "counterparty", "created_at")

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(slots=True, frozen=True)
class Sent:
    """One message as it was published, as often as it was. `broken`: it holds no order and must be quarantined."""

    message_id: str
    body: bytes
    content_type: str = "application/json"
    broken: bool = False


class Content(NamedTuple):
    """What makes two messages the same order; `created_at` None: the sender gave none."""

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    counterparty: str | None
    created_at: datetime | None


class Reading(NamedTuple):
    """A good message, read. `extra`: the fields that the service does not know."""

    message_id: str
    order_id: str
    content: Content
    extra: dict[str, Any]


def read(sent: Sent) -> Reading:
    """The order in a good message. Raises `ValueError` or `KeyError` for one that is not."""
    fields = exact(sent.body)
    created_at = fields.get("created_at")
    content = Content(
        fields["symbol"],
        fields["side"],
        Decimal(fields["quantity"]),
        Decimal(fields["price"]),
        fields.get("counterparty"),
        datetime.fromisoformat(created_at.upper()) if created_at else None,
    )
    extra = {name: value for name, value in fields.items() if name not in _NAMED}
    return Reading(sent.message_id, fields["orderId"], content, extra)


def exact(text: str | bytes) -> Any:
    """JSON with every number as it is written."""
    return json.loads(text, parse_float=Decimal)


def single(prefix: str) -> list[Sent]:
    """One good order."""
    return [_sent(message) for message in Samples(Mix(0, 0), prefix=prefix).messages(1)]


def mixed(count: int, prefix: str) -> list[Sent]:
    """`count` messages: good orders, repeated ones, the same ones written otherwise, conflicts, broken ones."""
    if count < SMALLEST_BATCH:
        raise ValueError(f"a mixed batch has at least {SMALLEST_BATCH} messages")
    some = max(1, count // 15)
    rng = random.Random()  # noqa: S311 - samples, not secrets
    good = [_sent(message) for message in Samples(Mix(0, 0), prefix=prefix).messages(count - 5 * some)]
    broken = Samples(Mix(0, 1), prefix=f"{prefix}BROKEN-").messages(2 * some)
    messages = [*good, *(_sent(message, broken=True) for message in broken)]
    rng.shuffle(messages)
    for following in (_same, _rewritten, _conflicting):
        for original in rng.sample(good, some):
            at = rng.randint(messages.index(original) + 1, len(messages))
            messages.insert(at, following(original))
    return messages


def _sent(message: Message, *, broken: bool = False) -> Sent:
    return Sent(message.message_id, message.body, message.content_type, broken)


def _same(original: Sent) -> Sent:
    return original


def _rewritten(original: Sent) -> Sent:
    """The same order in other words: other order of fields, other white space, 100.0 for 100."""
    fields = dict(reversed(exact(original.body).items()))
    fields["quantity"] = Decimal(f"{fields['quantity']}.0")
    return Sent(f"{original.message_id}-rewritten", msgspec.json.format(_encode(fields), indent=2))


def _conflicting(original: Sent) -> Sent:
    fields = exact(original.body)
    fields["price"] += 1
    return Sent(f"{original.message_id}-conflict", _encode(fields))
