"""Looks at orders before they are routed: what exceeds a limit, and is vouched for by nobody, waits for a person.

Note on the last price: it is that of the order of the symbol that was routed last, as far as this process knows. It
knows what it has routed itself. Of a symbol it has not routed, and before it objects to a price, it asks the book,
which looks among the orders created last and no further: an older price is none, and what has no last price passes.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from routing.decisions import Parking

if TYPE_CHECKING:
    from orders.schema import ValidatedOrder
    from orders.sql import Sql
    from routing.claims import Claimed
    from routing.limits import Limits

_AMONG = 10_000  # orders created last
_MOST_SYMBOLS = 50_000  # kept in mind
# Seconds before the book is asked again: for a price that differs from what it said, and where it knew none.
_AGAIN, _AGAIN_UNKNOWN = 1.0, 60.0

_LAST_PRICES = """/* last_prices */
SELECT DISTINCT ON (symbol) symbol, price
FROM (SELECT symbol, price, status, routed_at FROM orders ORDER BY created_at DESC LIMIT %(among)s) late
WHERE symbol = ANY(%(symbol)s::text[]) AND status IN ('ROUTED', 'EXECUTED')
ORDER BY symbol, routed_at DESC
"""
_VOUCHED_FOR = """/* vouched_for */
SELECT DISTINCT order_id FROM order_events
WHERE order_id = ANY(%(order_id)s::text[]) AND event = 'REVIEW_CLEARED'
"""


@dataclass(slots=True, frozen=True)
class _Seen:
    """The last price of a symbol, None where there is none, and when the book was asked for it."""

    price: Decimal | None
    asked: float


class Screening:
    """Two statements a batch at most: prices that are not known here, and who of those that exceed is vouched for."""

    def __init__(self, sql: Sql, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sql = sql
        self._limits = limits
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def screened(self, works: Sequence[Claimed]) -> tuple[list[Claimed], list[Parking]]:
        """Those that may be routed, and those that exceed a limit. Raises `SqlUnavailable`."""
        if self._limits.max_price_move is not None:
            self._ask_for_prices([work.order for work in works])
        found = {work.order.order_id: self._objection(work.order) for work in works}
        objections = {order_id: objection for order_id, objection in found.items() if objection}
        if not objections:
            return list(works), []
        objections = self._without_vouched_for(objections)
        return (
            [work for work in works if work.order.order_id not in objections],
            [
                Parking(work, None, objections[work.order.order_id])
                for work in works
                if work.order.order_id in objections
            ],
        )

    def routed(self, orders: Iterable[ValidatedOrder]) -> None:
        """Their prices are the last ones now."""
        if self._limits.max_price_move is not None:
            for order in orders:
                known = self._seen.get(order.symbol)
                self._keep(order.symbol, _Seen(order.price, known.asked if known else self._clock()))

    def _objection(self, order: ValidatedOrder) -> str:
        known = self._seen.get(order.symbol)
        return self._limits.exceeded(order, known.price if known else None)

    def _ask_for_prices(self, orders: Iterable[ValidatedOrder]) -> None:
        now = self._clock()
        symbols = {order.symbol for order in orders if self._is_doubtful(order, now)}
        if not symbols:
            return
        said = dict(self._sql.run(_LAST_PRICES, {"among": _AMONG, "symbol": sorted(symbols)}))
        for symbol in symbols:
            known = self._seen.get(symbol)
            self._keep(symbol, _Seen(said.get(symbol, known.price if known else None), now))

    def _is_doubtful(self, order: ValidatedOrder, now: float) -> bool:
        """Whether the book has to be asked what the last price was."""
        known = self._seen.get(order.symbol)
        if known is None:
            return True
        if known.price is None:
            return now - known.asked >= _AGAIN_UNKNOWN
        return now - known.asked >= _AGAIN and self._limits.moves_too_far(order.price, known.price)

    def _keep(self, symbol: str, seen: _Seen) -> None:
        self._seen[symbol] = seen
        self._seen.move_to_end(symbol)
        if len(self._seen) > _MOST_SYMBOLS:
            self._seen.popitem(last=False)

    def _without_vouched_for(self, objections: dict[str, str]) -> dict[str, str]:
        """A person who has cleared a review of an order has looked at it, and it is not asked for again."""
        rows = self._sql.run(_VOUCHED_FOR, {"order_id": sorted(objections)})
        vouched_for = {row[0] for row in rows}
        return {order_id: why for order_id, why in objections.items() if order_id not in vouched_for}
