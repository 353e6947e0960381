"""A small book in which every promise was kept, written by the service's own statements, for tests to damage."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg

from consumers import quarantine
from consumers.models import Reason
from consumers.quarantine import Rejection
from consumers.transport import Delivery
from order_entry_project.proof import evidence, verifier
from order_entry_project.proof.evidence import Published
from order_entry_project.proof.finding import Finding
from order_entry_project.proof.ledger import Sent
from orders import book, documents, schema, status_cache
from orders.book import Arrival
from orders.lifecycle import Status
from orders.stores.postgresql import PostgresStore
from routing import decisions, publications
from routing.claims import Claimed
from routing.publications import Publication
from routing.settled import Settled
from tests.builders import attempt, body, far_deadline

A = Sent("m-a", body("ORD-A", note="as is"))
B = Sent("m-b", body("ORD-B", price=0.7132, counterparty=None, created_at=None))
C = Sent("m-c", body("ORD-C", quantity=1.5))
B_REWRITTEN = Sent(
    "m-b2", b'{"price": 0.71320, "side":"BUY", "quantity":100.0, "symbol":"AAPL", "orderId":"ORD-B"}'
)
C_CONFLICT = Sent("m-c2", body("ORD-C", quantity=2))
BROKEN = Sent("m-x", b"\xff not an order", broken=True)


class On:
    """Runs the service's statements on one connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def run(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        cursor = psycopg.Cursor(self._connection)
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


@dataclass
class KeptBook:
    """What is in SQL is damaged there, the rest here."""

    connection: psycopg.Connection[Any]
    sent: list[Sent] = field(default_factory=lambda: [A, A, B, C, B_REWRITTEN, C_CONFLICT, BROKEN])
    routed: list[Published] = field(default_factory=list)
    waiting: int = 0
    executions: dict[str, int] = field(default_factory=lambda: {"ORD-A": 1, "ORD-B": 1, "ORD-C": 1})
    router_was_well: bool = True

    def __post_init__(self) -> None:
        self.sql = On(self.connection)
        self.cache = status_cache.from_settings(PostgresStore(self.sql.run))
        self._route(self._place([A, B, C]))
        self._reject(BROKEN, Reason.UNREADABLE, None)
        self._reject(C_CONFLICT, Reason.CONFLICT, "ORD-C")
        book.require_review(self.sql, ["ORD-C"], reason="other content", actor="consumer")

    def execute(self, *statements: str) -> None:
        """With no trigger and no foreign key in the way."""
        self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self.connection.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            self.connection.execute(statement)

    def findings(self) -> list[Finding]:
        found = evidence.gather(
            self.connection,
            self.cache,
            routed=self.routed,
            waiting=self.waiting,
            executions=self.executions,
        )
        return verifier.findings(self.sent, found, router_was_well=self.router_was_well)

    def _place(self, messages: list[Sent]) -> list[Claimed]:
        claim = uuid4()
        arrivals = [
            Arrival(schema.decode(one.body, one.content_type, datetime.now(UTC)), one.message_id)
            for one in messages
        ]
        book.place(self.sql, arrivals, claim=claim, hold=30, actor="consumer")
        return [
            Claimed(each.order, each.message_id, Status.PLACED, claim, far_deadline()) for each in arrivals
        ]

    def _route(self, works: list[Claimed]) -> None:
        accepted = [attempt(work) for work in works]
        changes = decisions.settle_routed(self.sql, accepted, published=[], publish_in=30, actor="consumer")
        for each in accepted:
            change, route = changes[each.id], each.answer.route
            end = Settled(each.work, Status.ROUTED, change, each.id, route)
            self.cache.write([end.record(self.cache)])
            text = documents.routed_message(
                each.work.core, route=route, routed_at=change.at, message_id=each.work.message_id
            )
            self.routed.append(Published(f"routed:{each.work.order.order_id}", text))
        publications.mark_published(self.sql, [Publication(each.id, time.monotonic()) for each in accepted])

    def _reject(self, one: Sent, reason: Reason, order_id: str | None) -> None:
        delivery = Delivery("orders", 1, None, one.body, one.message_id, one.content_type)
        quarantine.quarantine(self.sql, [Rejection(delivery, reason, "it is wrong", order_id)])
