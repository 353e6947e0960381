"""A book with a history: routed orders of the last thirty days, with their events and routes, written in bulk."""

from __future__ import annotations

from typing import Any

import psycopg

# As the service leaves them, but for the hashes: chaining those of millions of orders would take an hour.
_STATEMENTS = (
    """
    INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, message_id, digest, status,
                        route, routed_at, version, attempts, placed_at, updated_at)
    SELECT 'ORD-' || to_char(at, 'YYYYMMDD') || '-' || lpad(n::text, 9, '0'), 'SYM' || n %% 500,
           CASE n %% 2 WHEN 0 THEN 'BUY' ELSE 'SELL' END, 1 + n %% 1000, 145.5, 'DESK-' || n %% 200, at, 'm-' || n,
           sha256(int4send(n)), 'ROUTED', 'NASDAQ-EXECUTION-1', at, 2, 1, at, at
    FROM (
        SELECT n, now() - interval '30 days' * (1 - n::float8 / %(orders)s) AS at
        FROM generate_series(1, %(orders)s::int) n
    ) numbered
    """,
    """
    INSERT INTO order_events (order_id, sequence, event, actor, at, hash)
    SELECT order_id, sequence, CASE sequence WHEN 1 THEN 'PLACED' ELSE 'ROUTED' END, 'order-entry@host-1:4711',
           placed_at, digest
    FROM orders, generate_series(1, 2) sequence
    """,
    """
    INSERT INTO order_routes (id, order_id, attempt, outcome, route, endpoint, http_status, latency_ms, decided_by,
                              decided_at, publish_after, published_at)
    SELECT gen_random_uuid(), order_id, 1, 'ACCEPTED', route, 'http://order-router:8080', 200, 2.5,
           'order-entry@host-1:4711', routed_at, routed_at, routed_at
    FROM orders
    """,
)


def fill(connection: psycopg.Connection[Any], orders: int) -> None:
    """Write so many orders into an empty book; the connection is autocommit, its user a superuser."""
    connection.execute("SET maintenance_work_mem = '512MB'")
    # Past triggers and foreign keys.
    connection.execute("SET session_replication_role = replica")
    for statement in _STATEMENTS:
        connection.execute(statement, {"orders": orders})
    connection.execute("VACUUM (ANALYZE) orders, order_events, order_routes")
    connection.execute("CHECKPOINT")
