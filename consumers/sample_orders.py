"""Sample orders: realistic ones, repeated ones and broken ones, for demonstrations, trials and load. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import msgspec

from consumers.sample_faults import FAULTS, forged
from consumers.transport import Message
from orders import avro

Kind = Literal["order", "duplicate", "broken"]
# The message of an order, by its id, with a token as of a time.
Sign = Callable[[Message, str, datetime], Message]

_PRICES = {
    "AAPL": "145.50", "MSFT": "420.00", "NVDA": "131.25", "AMZN": "186.40", "GOOGL": "172.65", "JPM": "211.30",
    "XOM": "117.85", "BRK.B": "455.10", "VOD.L": "0.7132", "SAP.DE": "214.35", "7203.T": "2741.5",
    "BTC-USD": "67250.12345678",
}  # fmt: skip
_COUNTERPARTIES = ["Northwind Capital", "Étoile Asset Management", "Harbour & Sons", "株式会社青山", None]
_LOTS = [1, 5, 10, 25, 50, 100, 250, 1000]
_ACCOUNTS = 40
_REMEMBERED = 1000  # of the latest orders, those that may come again
BLOCK = 200  # without an end, the shares hold in each so many
_SEEDED_NOW = datetime(2026, 2, 14, 10, 30, 45, tzinfo=UTC)

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Mix:
    """Shares, 0 to 1: of all messages; `avro` of the orders."""

    duplicates: float = 0.05
    broken: float = 0.03
    avro: float = 0.0

    def numbers(self, count: int) -> tuple[int, int, int]:
        """Orders, duplicates and broken messages among `count`. Raises `ValueError` for what cannot be."""
        duplicates, broken = round(count * self.duplicates), round(count * self.broken)
        orders = count - duplicates - broken
        if orders < bool(duplicates):
            raise ValueError(
                f"{duplicates} duplicates and {broken} broken leave {orders} of {count} messages for orders"
            )
        return orders, duplicates, broken

    def kinds(self, count: int, rng: random.Random) -> list[Kind]:
        """`count` kinds, the shares rounded to whole messages, shuffled; an order comes before any duplicate."""
        orders, duplicates, broken = self.numbers(count)
        kinds: list[Kind] = []
        kinds += ["order"] * orders
        kinds += ["duplicate"] * duplicates
        kinds += ["broken"] * broken
        rng.shuffle(kinds)
        if duplicates:
            order, duplicate = kinds.index("order"), kinds.index("duplicate")
            if duplicate < order:
                kinds[order], kinds[duplicate] = "duplicate", "order"
        return kinds


@dataclass
class Samples:
    """A run of sample messages; `counts` says how many of each kind have been drawn.

    With a `seed` everything about a run is repeatable, times included; without one its ids are new. With `sign`
    orders bear tokens, and a forged one is among the faults.
    """

    mix: Mix
    seed: int | None = None
    prefix: str | None = None
    sign: Sign | None = None
    counts: dict[Kind, int] = field(default_factory=lambda: {"order": 0, "duplicate": 0, "broken": 0})

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - samples, not secrets
        self._prefix = self.prefix or f"ORD-{self._now():%Y%m%d}-{self._rng.getrandbits(32):08x}-"
        self._number = 0
        self._recent: list[Message] = []

    def messages(self, count: int) -> Iterator[Message]:
        """`count` messages, or without end when it is 0."""
        while True:
            for kind in self.mix.kinds(count or BLOCK, self._rng):
                self.counts[kind] += 1
                yield self._message(kind)
            if count:
                return

    def _message(self, kind: Kind) -> Message:
        if kind == "duplicate":
            return self._rng.choice(self._recent)
        self._number += 1
        fields = self._fields()
        if kind == "broken":
            number = self.counts["broken"] % (len(FAULTS) + bool(self.sign))
            if number == len(FAULTS):
                return forged(self._good(fields))
            fault = FAULTS[number]
            return Message(fault.body(fields), f"msg-{fields['orderId']}", content_type=fault.content_type)
        message = self._good(fields)
        if len(self._recent) < _REMEMBERED:
            self._recent.append(message)
        else:
            self._recent[self._rng.randrange(_REMEMBERED)] = message
        return message

    def _good(self, fields: Mapping[str, Any]) -> Message:
        message_id = f"msg-{fields['orderId']}"
        if self._rng.random() < self.mix.avro:
            message = Message(_as_avro(fields), message_id, content_type="avro/binary")
        else:
            message = Message(_encode(fields), message_id)
        return self.sign(message, fields["orderId"], self._now()) if self.sign else message

    def _fields(self) -> dict[str, Any]:
        rng = self._rng
        symbol, base = rng.choice(list(_PRICES.items()))
        price = Decimal(base)
        tick = Decimal(1).scaleb(int(price.as_tuple().exponent))
        fields: dict[str, Any] = {
            "orderId": f"{self._prefix}{self._number:06d}",
            "symbol": symbol,
            "side": rng.choice(["BUY", "SELL"]),
            "quantity": rng.choice(_LOTS) * rng.randint(1, 9),
            "price": max(tick, price + tick * rng.randint(-300, 300)),
            "created_at": self._now(),
            "timeInForce": rng.choice(["DAY", "IOC", "GTC"]),
            "account": f"ACC-{rng.randrange(_ACCOUNTS):03d}",
        }
        if counterparty := rng.choice(_COUNTERPARTIES):
            fields["counterparty"] = counterparty
        return fields

    def _now(self) -> datetime:
        if self.seed is None:
            return datetime.now(UTC)
        return _SEEDED_NOW + timedelta(milliseconds=sum(self.counts.values()))


def _as_avro(fields: Mapping[str, Any]) -> bytes:
    named = dict(fields)
    named["extra"] = {name: named.pop(name) for name in ("timeInForce", "account")}
    return avro.encode(named, single_object=True)
