"""A book with a history: a million orders in a minute, written past triggers and foreign keys."""

from __future__ import annotations

from typing import Any

import psycopg

# Orders of ten days: some hundred counterparties and symbols, a few of them with most of the orders, one in a
# thousand parked and half of these waiting for a person. The hashes are not chained: this book is for its size.
_ORDERS = """
INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, message_id, digest, status,
                    route, routed_at, version, attempts, needs_review, review_reason, due_at, placed_at, updated_at)
SELECT md5(n::text), 'SYM' || floor(500 * power(random(), 3)), 'BUY', 100, 145.5,
       'DESK-' || floor(200 * power(random(), 3)), at, 'message-' || n, sha256(int4send(n)),
       CASE WHEN NOT parked THEN 'ROUTED' ELSE 'PENDING_ROUTE' END,
       CASE WHEN NOT parked THEN 'NASDAQ-EXECUTION-1' END, CASE WHEN NOT parked THEN at END, 2, 1,
       parked AND n %% 2 = 0, CASE WHEN parked AND n %% 2 = 0 THEN 'the router refused it' ELSE '' END,
       CASE WHEN parked THEN at END, at, at
FROM (SELECT n, now() - interval '10 days' * (1 - n::float8 / %(orders)s) AS at, n %% 1000 < 2 AS parked
      FROM generate_series(1, %(orders)s) n) s
"""
_EVENTS = """
INSERT INTO order_events (order_id, sequence, event, actor, at, hash)
SELECT order_id, sequence, CASE sequence WHEN 1 THEN 'PLACED' ELSE status END, 'order-entry@host-1:4711',
       updated_at, digest
FROM orders, generate_series(1, 2) sequence
"""
_ROUTES = """
INSERT INTO order_routes (id, order_id, attempt, outcome, route, endpoint, http_status, latency_ms, stages_ms, error,
                          decided_by, decided_at, publish_after, published_at)
SELECT gen_random_uuid(), order_id, 1, CASE WHEN route IS NULL THEN 'UNREACHABLE' ELSE 'ACCEPTED' END, route,
       'http://router:8080', 200, 12.5, '{1.5,2.5,3.5}', CASE WHEN route IS NULL THEN 'no answer' ELSE '' END,
       'order-entry@host-1:4711', updated_at, updated_at, updated_at
FROM orders
"""


def fill(connection: psycopg.Connection[Any], orders: int) -> None:
    """Into an empty book, whose owner is a superuser."""
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(_ORDERS, {"orders": orders})
        connection.execute(_EVENTS)
        connection.execute(_ROUTES)
    if not connection.autocommit:
        connection.commit()
        connection.autocommit = True
    connection.execute("VACUUM (ANALYZE) orders, order_events, order_routes")
