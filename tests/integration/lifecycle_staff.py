"""Workers whose SQL may commit and not answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from consumers.placing import Placing
from orders import book, status_cache
from orders.sql import Sql, SqlUnavailable
from orders.stores.postgresql import PostgresStore
from routing import claims, decisions
from routing.claims import Claimed
from routing.decisions import Attempt, Parking

HOLD = 3600.0
T = TypeVar("T")


class LosingSql(Sql):
    """SQL whose `lose`-th answer from now on is lost after the commit."""

    lose: int | None = None

    def run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        rows = super().run(statement, parameters)
        if self.lose is not None:
            self.lose = self.lose - 1 or None
            if self.lose is None:
                raise SqlUnavailable("the answer was lost")
        return rows


class Worker:
    """One machine actor, with a connection of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sql = LosingSql(patience=30)
        cache = status_cache.from_settings(PostgresStore(self.sql.run))
        self.placing = Placing(self.sql, cache, hold=HOLD, tries=1, actor=name, passed=lambda _: None)

    def require_review(self, order_ids: set[str]) -> None:
        book.require_review(self.sql, sorted(order_ids), reason="conflict", actor=self.name)

    def sweep(self, limit: int, claim: UUID) -> list[Claimed]:
        return claims.claim_due(self.sql, limit=limit, hold=HOLD, actor=self.name, claim=claim)

    def park(self, parkings: Sequence[Parking]) -> None:
        decisions.park(self.sql, parkings, actor=self.name)

    def settle_accepted(self, accepted: Sequence[Attempt]) -> set[UUID]:
        """As the dispatcher does; the ids of those that were routed."""
        changes = decisions.settle_routed(self.sql, accepted, published=[], publish_in=0.0, actor=self.name)
        if late := [each for each in accepted if each.id not in changes]:
            decisions.record_late(self.sql, late, actor=self.name)
        return set(changes)

    def settle_failed(self, failed: Sequence[Attempt]) -> set[UUID]:
        """As the dispatcher does; the ids of those whose order is still ours."""
        ours = decisions.note_failures(self.sql, failed, actor=self.name)
        if late := [each for each in failed if each.id not in ours]:
            decisions.record_late(self.sql, late, actor=self.name)
        return ours

    def again_if_lost(self, lose: int | None, work: Callable[[], T]) -> T:
        """`work()`, and once more where the `lose`-th answer is lost in it, as whoever waits for SQL does."""
        self.sql.lose = lose
        try:
            return work()
        except SqlUnavailable:
            return work()
        finally:
            self.sql.lose = None
