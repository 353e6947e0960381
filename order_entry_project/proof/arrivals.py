"""From what was sent to what is in the book or in quarantine: P1, P2, P3, P8."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from order_entry_project.proof.evidence import BookOrder, Evidence
from order_entry_project.proof.finding import Finding
from order_entry_project.proof.ledger import Reading, Sent, exact, read
from orders.lifecycle import Event

_Message = tuple[str, bytes]


class Arrivals:
    """Compares messages with orders and rejected messages. A message is known by its id and its bytes."""

    def __init__(self, sent: Sequence[Sent], found: Evidence) -> None:
        self._found = found
        self._sent = {(message.message_id, message.body): message for message in sent}
        self._good = {key: read(message) for key, message in self._sent.items() if not message.broken}
        self._said: dict[str, list[Reading]] = defaultdict(list)
        for reading in self._good.values():
            self._said[reading.order_id].append(reading)
        self._rejected = {(one.message_id, one.body): one.reason for one in found.rejected}
        # By order id, the message that made the order what it is.
        self._origins = {
            order_id: origin
            for order_id, order in found.orders.items()
            if (origin := next((one for one in self._said[order_id] if _made(one, order)), None))
        }

    def findings(self) -> Iterator[Finding]:
        yield from self._orders()
        yield from self._quarantine()
        yield from self._conflicts()
        if self._found.waiting:
            yield Finding("P1", f"messages left in the consumer queue: {self._found.waiting}")
        if self._found.delivery_attempts:
            yield Finding("P8", f"messages whose attempts are still counted: {self._found.delivery_attempts}")

    def _orders(self) -> Iterator[Finding]:
        for order_id, readings in self._said.items():
            if readings and order_id not in self._found.orders:
                sender = readings[0].message_id
                yield Finding("P1", f"order {order_id}, sent as message {sender}, is not in the book")
        for order_id, order in self._found.orders.items():
            if not self._said[order_id]:
                yield Finding("P2", f"order {order_id} is in the book and nobody sent it")
            elif order_id not in self._origins:
                yield Finding(
                    "P2",
                    f"order {order_id} is in the book with fields that message {order.message_id} does not have",
                )

    def _quarantine(self) -> Iterator[Finding]:
        for key, message in self._sent.items():
            if message.broken and key not in self._rejected:
                yield Finding(
                    "P8", f"broken message {message.message_id} is not in quarantine with its bytes"
                )
        rows = Counter((one.message_id, one.body) for one in self._found.rejected)
        for key, times in rows.items():
            if key not in self._sent:
                yield Finding("P8", f"message {key[0]} is in quarantine with bytes that nobody sent")
            if times > 1:
                yield Finding("P8", f"message {key[0]} is in quarantine {times} times")

    def _conflicts(self) -> Iterator[Finding]:
        for key, reading in self._good.items():
            origin = self._origins.get(reading.order_id)
            if origin and origin.content == reading.content:
                yield from self._same(key, reading)
            elif origin:
                yield from self._other(key, reading)

    def _same(self, key: _Message, reading: Reading) -> Iterator[Finding]:
        if key in self._rejected:
            yield Finding(
                "P3",
                f"message {reading.message_id} says what the book says of order {reading.order_id}, "
                f"and was rejected as {self._rejected[key]}",
            )

    def _other(self, key: _Message, reading: Reading) -> Iterator[Finding]:
        order_id = reading.order_id
        if self._rejected.get(key) != "CONFLICT":
            yield Finding(
                "P3",
                f"message {reading.message_id} has other content than order {order_id} in the book, "
                "and is not in quarantine as CONFLICT",
            )
        if all(event.event != Event.REVIEW_REQUIRED for event in self._found.events.get(order_id, ())):
            yield Finding(
                "P3", f"order {order_id} had a message with other content, and no review was asked for"
            )


def _made(reading: Reading, order: BookOrder) -> bool:
    """Whether the order bears this message's id and has its content, to the digit."""
    said = reading.content
    return (
        reading.message_id == order.message_id
        and said[:5] == (order.symbol, order.side, order.quantity, order.price, order.counterparty)
        and said.created_at in (None, order.created_at)
        and reading.extra == exact(order.extra)
    )
