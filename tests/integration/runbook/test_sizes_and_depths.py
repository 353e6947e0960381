"""How much there is: rows on disk, messages in queues."""

from django.db import connection

from consumers.models import QueueMessage
from tests.book_rows import routed_order
from tests.runbook import run


def test_every_table_is_listed_with_its_sizes_the_largest_first(db):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO rejected_messages (queue, message_id, body, body_hash, headers, reason, error)"
            " SELECT 'q', n::text, repeat('x', 500)::bytea, '', '{}', 'POISON', '' FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE rejected_messages")
    sizes = run("table_sizes", "--json").json

    (rejected,) = [size for size in sizes if size["name"] == "rejected_messages"]
    assert rejected["rows"] == 5000
    assert rejected["table_bytes"] > 5000 * 500
    assert rejected["index_bytes"] > 5000 * 8
    totals = [size["total_bytes"] for size in sizes]
    assert totals == sorted(totals, reverse=True)
    assert all(size["total_bytes"] == size["table_bytes"] + size["index_bytes"] for size in sizes)
    assert {"orders", "order_events", "order_routes", "store_records", "queue_messages", "audit_entries"} < {
        size["name"] for size in sizes
    }


def test_sizes_are_those_of_postgresql_itself(db):
    routed_order()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('orders')")
        (total,) = cursor.fetchone()
    (orders,) = [size for size in run("table_sizes", "--json").json if size["name"] == "orders"]
    assert orders["total_bytes"] == total


def test_a_table_that_was_never_analysed_has_no_negative_rows(db):
    assert all(size["rows"] >= 0 for size in run("table_sizes", "--json").json)
    assert not any("-1" in line for line in run("table_sizes").lines)


def test_the_configured_queues_are_counted_or_those_that_are_named(transactional_db):
    for queue, count in (("TRADE.VALIDATED.ORDERS", 3), ("ANOTHER", 2)):
        QueueMessage.objects.bulk_create(QueueMessage(queue=queue, body=b"{}") for _ in range(count))

    assert run("queue_depth", "--json").json == {"TRADE.VALIDATED.ORDERS": 3, "TRADE.ROUTED.ORDERS": 0}
    assert run("queue_depth", "ANOTHER", "--json").json == {"ANOTHER": 2}
    assert run("queue_depth", "ANOTHER").lines == [["Queue", "Messages", "ready"], ["ANOTHER", "2"]]
