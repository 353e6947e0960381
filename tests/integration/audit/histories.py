"""Orders with a history, written by the service's own statements, and a database owner who rewrites it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.db import connection, transaction

from orders import anchors, book
from orders.models import AuditAnchor
from orders.sql import Sql
from routing import decisions
from routing.claims import Claimed
from tests.builders import arrival, attempt, far_deadline


def routed(*order_ids: str) -> None:
    """Placed, routed, put before a person: three events each."""
    sql, claim = Sql(patience=5), uuid4()
    arrivals = [
        arrival(order_id, created_at=None if order_id.endswith("0") else "2026-02-14T10:30:45.5Z")
        for order_id in sorted(order_ids)
    ]
    book.place(sql, arrivals, claim=claim, hold=30, actor="worker")
    attempts = [
        attempt(Claimed(one.order, one.message_id, "PLACED", claim, far_deadline())) for one in arrivals
    ]
    decisions.settle_routed(sql, attempts, published=[], publish_in=None, actor="worker")
    book.require_review(sql, list(order_ids), reason="grüß Gott: 7", actor="worker")
    sql.close()


def anchored() -> AuditAnchor:
    return anchors.make(settle=timedelta(0), actor="tester")


def rewrite(*statements: str, **parameters: str) -> None:
    """As the owner of the database may, with every trigger disabled."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement, parameters)


def rehash(order_id: str) -> None:
    """Make a chain fit again from its beginning, by the database's own function."""
    rewrite(
        """
        DO $$
        DECLARE e order_events; before bytea;
        BEGIN
            SELECT digest INTO before FROM orders WHERE order_id = 'ID';
            FOR e IN SELECT * FROM order_events WHERE order_id = 'ID' ORDER BY sequence LOOP
                before := order_event_hash(before, e.order_id, e.sequence, e.event, e.actor, e.reason, e.at);
                UPDATE order_events SET hash = before WHERE order_id = e.order_id AND sequence = e.sequence;
            END LOOP;
        END $$""".replace("ID", order_id)
    )
