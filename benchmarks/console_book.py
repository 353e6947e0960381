"""A book as a desk has it after months, with something on every list of the console; written past triggers and keys."""

from __future__ import annotations

from typing import Any

import psycopg

# Of 90 days: most orders are of a few of 500 symbols and 200 counterparties, one in a hundred of none. Nearly all are
# through; one in a thousand waits, half of these for a person, and the last ones are under way.
_ORDERS = """
INSERT INTO orders (order_id, symbol, side, quantity, price, counterparty, created_at, message_id, digest, status,
                    route, routed_at, version, attempts, needs_review, review_reason, due_at, placed_at, updated_at)
SELECT 'ORD-' || to_char(at, 'YYYYMMDD') || '-' || lpad(n::text, 9, '0'), 'SYM' || floor(500 * r * r * r),
       CASE WHEN n %% 2 = 0 THEN 'BUY' ELSE 'SELL' END, 1 + n %% 5000, 10 + (n %% 100000) / 100.0,
       CASE WHEN n %% 100 <> 0 THEN 'DESK-' || floor(200 * q * q * q) END, at, 'message-' || n, sha256(int4send(n)),
       status, CASE WHEN done THEN 'VENUE-' || n %% 12 END, CASE WHEN done THEN at END, 2,
       CASE WHEN status = 'PLACED' THEN 0 ELSE 1 END, status = 'PENDING_ROUTE' AND q < 0.5,
       CASE WHEN status = 'PENDING_ROUTE' AND q < 0.5 THEN 'the router refused it: 422 no venue' ELSE '' END,
       CASE WHEN status = 'PENDING_ROUTE' THEN at END, at, at
FROM (SELECT n, at, random() AS r, random() AS q, status, status IN ('ROUTED', 'EXECUTED') AS done
      FROM generate_series(1, %(orders)s) n,
           LATERAL (SELECT now() - interval '90 days' * (1 - n::float8 / %(orders)s) AS at) a,
           LATERAL (SELECT CASE WHEN n > %(orders)s - 50 THEN 'PLACED'
                                WHEN n %% 1000 < 1 OR n %% 1777 = 5 THEN 'PENDING_ROUTE'
                                WHEN n %% 25 = 3 THEN 'CANCELED'
                                WHEN n %% 5 < 3 THEN 'EXECUTED' ELSE 'ROUTED' END AS status) s
     ) book
"""
_EVENTS = """
INSERT INTO order_events (order_id, sequence, event, actor, at, hash)
SELECT order_id, sequence, CASE sequence WHEN 1 THEN 'PLACED' ELSE status END, 'order-entry@host-1:4711',
       updated_at, digest
FROM orders, generate_series(1, 2) sequence WHERE sequence = 1 OR status <> 'PLACED'
"""
_ROUTES = """
INSERT INTO order_routes (id, order_id, attempt, outcome, route, endpoint, http_status, latency_ms, stages_ms, error,
                          decided_by, decided_at, publish_after, published_at)
SELECT gen_random_uuid(), order_id, 1, CASE WHEN route IS NULL THEN 'UNREACHABLE' ELSE 'ACCEPTED' END, route,
       'http://router:8080', 200, 12.5, '{1.5,2.5,3.5}', CASE WHEN route IS NULL THEN 'no answer' ELSE '' END,
       'order-entry@host-1:4711', updated_at, CASE WHEN route IS NOT NULL THEN updated_at END,
       CASE WHEN route IS NOT NULL AND updated_at < now() - interval '1 minute' THEN updated_at END
FROM orders WHERE attempts = 1
"""
_REJECTED = """
INSERT INTO rejected_messages (queue, message_id, body, body_hash, order_id, reason, fault, error, headers, rejected_at,
                               state, decided_at, decided_by)
SELECT 'TRADE.VALIDATED.ORDERS', 'message-' || n, '{"orderId": "R"}', sha256(int4send(n)), 'REJECTED-' || n,
       (ARRAY['MISSING_FIELD', 'BAD_VALUE', 'UNREADABLE', 'CONFLICT'])[1 + n %% 4], 'price', 'price: expected a number',
       '{}', now() - n * interval '1 minute', state, CASE WHEN state <> 'WAITING' THEN now() END,
       CASE WHEN state <> 'WAITING' THEN 'anna' ELSE '' END
FROM generate_series(1, %(rows)s) n,
     LATERAL (SELECT (ARRAY['WAITING', 'REPLAYED', 'DISCARDED', 'DISCARDED'])[1 + n %% 4] AS state) s
"""
_AUDIT = """
INSERT INTO audit_entries (at, actor, action, subject, detail)
SELECT now() - n * interval '1 minute', 'anna', 'order.retry', 'ORD-' || n, '{"reason": "the client called"}'
FROM generate_series(1, %(rows)s) n
"""
_HALTS = """
INSERT INTO halts (symbol, reason, actor, since, until, lifted_at, lifted_by)
SELECT 'SYM' || n, 'wrong prices in the feed', 'anna', now() - n * interval '1 hour', NULL,
       CASE WHEN n > 5 THEN now() END, CASE WHEN n > 5 THEN 'ben' ELSE '' END
FROM generate_series(1, 500) n
"""
_APPROVALS = """
INSERT INTO route_approvals (id, order_id, route, reason, notional, requested_by, requested_at, expires_at, decision,
                             decided_at, decided_by, remark)
SELECT gen_random_uuid(), order_id, 'VENUE-1', 'the client called', quantity * price, 'anna', now(),
       now() + interval '8 hours', CASE WHEN NOT needs_review THEN 'APPROVED' END,
       CASE WHEN NOT needs_review THEN now() END, CASE WHEN NOT needs_review THEN 'ben' ELSE '' END, ''
FROM (SELECT * FROM orders WHERE status = 'PENDING_ROUTE' LIMIT 1000) waiting
"""
_ACTIONS = """
WITH someone AS (
    INSERT INTO auth_user (username, password, is_staff, is_active, is_superuser, first_name, last_name, email,
                           date_joined)
    VALUES ('console-book', '!', false, false, false, '', '', '', now()) RETURNING id
), actions AS (
    INSERT INTO bulk_actions (id, operation, user_id, proposed_at, decided_at, route, reason)
    SELECT gen_random_uuid(), 'retry', (SELECT id FROM someone), now() - n * interval '1 hour',
           now() - n * interval '1 hour', '', 'the router is back'
    FROM generate_series(1, 500) n RETURNING id
)
INSERT INTO bulk_action_orders (action_id, order_id, effect, said)
SELECT id, order_id, 'DONE', ''
FROM actions, (SELECT order_id FROM orders WHERE status = 'PENDING_ROUTE' LIMIT 200) chosen
"""


def fill(connection: psycopg.Connection[Any], orders: int) -> None:
    """Into an empty, migrated database; as a superuser. Five million orders take some ten minutes."""
    some = {"rows": orders // 50}
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute(_ORDERS, {"orders": orders})
        connection.execute(_EVENTS)
        connection.execute(_ROUTES)
        connection.execute(_REJECTED, some)
        connection.execute(_AUDIT, some)
        for statement in (_HALTS, _APPROVALS, _ACTIONS):
            connection.execute(statement)
    connection.autocommit = True
    connection.execute("VACUUM (ANALYZE)")
