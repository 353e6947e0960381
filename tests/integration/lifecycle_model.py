"""What the design says becomes of an order, in plain Python: no SQL, no time, one step after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any
from uuid import UUID

from orders.lifecycle import ROUTABLE, Event, Status, may_become
from routing.models import Outcome

_ACCEPTED = (Outcome.ACCEPTED, Outcome.MANUAL)


class Due(Enum):
    NOW = "now"
    LATER = "later"
    NEVER = "never"


@dataclass
class ModelOrder:
    """`attempts`: outcome and route of each; `claim_ran_out`: nobody has taken it since."""

    order_id: str
    content: int
    symbol: str
    counterparty: str
    status: Status = Status.PLACED
    route: str | None = None
    review: bool = False
    due: Due = Due.NEVER
    key_number: int = 0
    claim: UUID | None = None
    claim_ran_out: bool = False
    events: list[Event] = field(default_factory=lambda: [Event.PLACED])
    attempts: list[tuple[Outcome, str | None]] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.claim is not None and not self.claim_ran_out

    @property
    def waits(self) -> bool:
        """Whether the machine may take it, were it not for halts."""
        if self.live:
            return False
        parked = self.status is Status.PENDING_ROUTE and not self.review and self.due is Due.NOW
        return self.status is Status.PLACED or parked

    def take(self, claim: UUID) -> bool:
        """Whether a claim had run out: a call may have gone out."""
        expired = self._lose_claim()
        self.claim = claim
        return expired

    def release(self, claim: UUID) -> None:
        if self.claim == claim:
            self.claim, self.claim_ran_out = None, False

    def accepted(self, claim: UUID, route: str) -> bool:
        """Whether it was routed; if not, the answer came late."""
        if self.claim != claim:
            self.late(route)
            return False
        self.attempts.append((Outcome.ACCEPTED, route))
        self._routed(route)
        return True

    def failed(self, claim: UUID, outcome: Outcome) -> bool:
        """Whether the order is still the caller's."""
        if self.claim != claim:
            self.late(None)
            return False
        self.attempts.append((outcome, None))
        return True

    def late(self, route: str | None) -> None:
        self.attempts.append((Outcome.LATE, route))
        if route is not None:
            self.require_review()

    def park(self, claim: UUID, due: Due) -> None:
        if self.claim != claim:
            return
        if self.status is not Status.PENDING_ROUTE:
            self.status = Status.PENDING_ROUTE
            self.events.append(Event.PENDING_ROUTE)
        if due is Due.NEVER:
            self.require_review()
        self.due = due
        self.release(claim)

    def require_review(self) -> None:
        if not self.review:
            self.review = True
            self.events.append(Event.REVIEW_REQUIRED)

    def time_passes(self) -> None:
        """Its claim runs out; it falls due."""
        self.claim_ran_out = self.claim is not None
        if self.due is Due.LATER:
            self.due = Due.NOW

    # What persons do; whether they may.

    def route_by_hand(self, route: str) -> bool:
        if not self._free_to_become(Status.ROUTED):
            return False
        self._lose_claim()
        self._clear_review()
        self.attempts.append((Outcome.MANUAL, route))
        self._routed(route)
        return True

    def retry_now(self) -> bool:
        if self.status is not Status.PENDING_ROUTE or self.live:
            return False
        self._lose_claim()
        self._clear_review()
        self.key_number += bool(self.attempts) and self.attempts[-1][0] is Outcome.REFUSED
        self.due = Due.NOW
        return True

    def cancel(self) -> bool:
        if not self._free_to_become(Status.CANCELED):
            return False
        self._lose_claim()
        self._clear_review()
        self.status, self.due = Status.CANCELED, Due.NEVER
        self.events.append(Event.CANCELED)
        return True

    def execute(self) -> bool:
        if not may_become(self.status, Status.EXECUTED):
            return False
        self.status = Status.EXECUTED
        self.events.append(Event.EXECUTED)
        return True

    def clear_review(self) -> bool:
        if self.live or not self.review:
            return False
        self._lose_claim()
        self._clear_review()
        if self.status is Status.PENDING_ROUTE:
            self.due = Due.NOW
        return True

    def _free_to_become(self, status: Status) -> bool:
        return may_become(self.status, status) and not self.live

    def _lose_claim(self) -> bool:
        expired = self.claim is not None
        if expired:
            self.attempts.append((Outcome.UNKNOWN, None))
        self.claim, self.claim_ran_out = None, False
        return expired

    def _clear_review(self) -> None:
        if self.review:
            self.review = False
            self.events.append(Event.REVIEW_CLEARED)

    def _routed(self, route: str) -> None:
        self.status, self.route, self.due = Status.ROUTED, route, Due.NEVER
        self.claim, self.claim_ran_out = None, False
        self.events.append(Event.ROUTED)


@dataclass
class ModelBook:
    """`halts`: the scopes in force, each a symbol, a counterparty, or neither."""

    orders: dict[str, ModelOrder] = field(default_factory=dict)
    halts: dict[int, tuple[str | None, str | None]] = field(default_factory=dict)

    def halted(self, order: ModelOrder) -> bool:
        return any(
            symbol in (None, order.symbol) and counterparty in (None, order.counterparty)
            for symbol, counterparty in self.halts.values()
        )

    def may_be_taken(self, order: ModelOrder) -> bool:
        return order.waits and not self.halted(order)

    def due(self) -> list[ModelOrder]:
        return [order for order in self.orders.values() if self.may_be_taken(order)]

    def arrive(self, arrivals: Iterable[ModelOrder], claim: UUID) -> tuple[dict[str, bool], set[str]]:
        """The orders taken, each with whether a claim had run out; and those in conflict."""
        taken: dict[str, bool] = {}
        conflicts: set[str] = set()
        for new in arrivals:
            known = self.orders.setdefault(new.order_id, new)
            if known.content != new.content:
                known.require_review()
                conflicts.add(new.order_id)
            elif known is new and self.halted(new):
                new.status, new.due = Status.PENDING_ROUTE, Due.NOW
                new.events.append(Event.PENDING_ROUTE)
            elif known is new:
                new.claim = claim
                taken[new.order_id] = False
            elif self.may_be_taken(known):
                taken[new.order_id] = known.take(claim)
        return taken, conflicts


def broken_laws(
    order: Mapping[str, object],
    events: Sequence[tuple[int, str]],
    routes: Sequence[tuple[int, str, str | None]],
) -> list[str]:
    """What the rows of one order break of that which holds for all orders, whatever was done with them.

    `events`: sequence and name; `routes`: attempt, outcome and route.
    """
    status = Status(str(order["status"]))
    changes = [Status(event) for _, event in events if event in Status.values]
    laws = {
        "events have no gaps": [sequence for sequence, _ in events] == list(range(1, len(events) + 1)),
        "the version is the last event's sequence": order["version"] == len(events),
        "attempts have no gaps": [attempt for attempt, _, _ in routes] == list(range(1, len(routes) + 1)),
        "all attempts are counted": order["attempts"] == len(routes),
        "at most one route is accepted": sum(outcome in _ACCEPTED for _, outcome, _ in routes) <= 1,
        "only what is to be routed is claimed": order["claim"] is None or status in ROUTABLE,
        "the first event is PLACED": changes[0] is Status.PLACED,
        "the transition table is obeyed": all(may_become(was, became) for was, became in pairwise(changes)),
        "the status is the last event's": changes[-1] is status,
    }
    return [law for law, is_kept in laws.items() if not is_kept]


def seen(order: dict[str, Any], events: list[Any], routes: list[Any]) -> dict[str, Any]:
    """The rows of an order, to be compared with what is `expected`."""
    due = {None: Due.NEVER, True: Due.NOW, False: Due.LATER}[order["is_due"]]
    return {
        "status": order["status"],
        "route": order["route"],
        "review": order["needs_review"],
        "due": due if order["status"] == "PENDING_ROUTE" else Due.NEVER,
        "claim": order["claim"],
        "live": order["live"],
        "key_number": order["key_number"],
        "events": [event for _, event in events],
        "routes": [(outcome, route) for _, outcome, route in routes],
    }


def expected(order: ModelOrder) -> dict[str, Any]:
    return {
        "status": order.status,
        "route": order.route,
        "review": order.review,
        "due": order.due,
        "claim": str(order.claim) if order.claim else None,
        "live": order.live,
        "key_number": order.key_number,
        "events": order.events,
        "routes": order.attempts,
    }
