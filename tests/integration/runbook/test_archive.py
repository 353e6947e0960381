"""What is old leaves the tables by a file, beside everything else, and is never in neither."""

from __future__ import annotations

import errno
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from consumers import archive
from consumers.models import RejectedMessage
from orders import book
from orders.models import AuditEntry, Order, OrderEvent
from orders.sql import Sql
from routing.models import OrderRoute
from tests.book_rows import order_in_book, parked_order, routed_order
from tests.builders import arrival
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = datetime.now(UTC) - timedelta(days=100)
DISCARDED = {"state": "DISCARDED", "decided_at": LONG_AGO, "decided_by": "ann", "decision_reason": "a test's"}


def rejected(message_id: str, **fields) -> RejectedMessage:
    content = f'{{"orderId": "{message_id}"}}'.encode()
    made = {
        "queue": "Q",
        "message_id": message_id,
        "body": content,
        "body_hash": sha256(content).digest(),
        "reason": "BAD_VALUE",
        "error": "price is missing",
        "rejected_at": LONG_AGO,
    }
    return RejectedMessage.objects.create(**(made | fields))


def attempt(order: Order, error: str, *, number: int = 1, at: datetime = LONG_AGO) -> OrderRoute:
    made = OrderRoute(
        id=uuid4(), order=order, attempt=number, outcome="REFUSED", error=error, decided_by="machine"
    )
    made.decided_at = at
    made.save()
    return made


def left() -> list[str]:
    return sorted(RejectedMessage.objects.values_list("message_id", flat=True))


def archived(folder, what="rejected") -> list[dict]:
    """All lines of all files."""
    return [
        json.loads(line)
        for path in sorted(folder.glob(f"{what}-*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


def test_old_decided_messages_move_whole_into_a_file_and_others_stay(tmp_path):
    rejected("old", **DISCARDED)
    rejected("waits")
    rejected("decided-lately", **(DISCARDED | {"decided_at": datetime.now(UTC)}))

    answer = run(
        "archive", "rejected", "--older-than", "90d", "--to", str(tmp_path), "--json", "--user", "ann"
    )

    assert answer.code == 0
    assert answer.json["rows"] == 1
    assert left() == ["decided-lately", "waits"]
    (line,) = archived(tmp_path)
    assert line["message_id"] == "old"
    assert bytes.fromhex(line["body"].removeprefix("\\x")) == b'{"orderId": "old"}'
    entry = AuditEntry.objects.get(action="archive.rejected")
    assert answer.json["file"].endswith(entry.subject)
    assert entry.actor.startswith("ann (")


def test_messages_nobody_decided_about_go_only_when_that_is_asked_for(tmp_path):
    rejected("waits-long")
    rejected("waits", rejected_at=datetime.now(UTC))
    run("archive", "rejected", "--older-than", "90d", "--to", str(tmp_path), "--undecided")
    assert left() == ["waits"]


def test_what_routers_said_goes_once_orders_are_settled_and_the_attempt_stays(tmp_path):
    routed, waiting = routed_order("ORD-1"), parked_order("ORD-2")
    told = attempt(routed, "The router answered 503: overloaded")
    lately = attempt(routed, "The router answered 400", number=2, at=datetime.now(UTC))
    needed = attempt(waiting, "The router answered 400: no such symbol")

    answer = run("archive", "router-answers", "--older-than", "90d", "--to", str(tmp_path), "--json")

    assert answer.json["rows"] == 1
    errors = dict(OrderRoute.objects.values_list("id", "error"))
    assert errors == {told.id: "(archived)", lately.id: lately.error, needed.id: needed.error}
    assert [line["error"] for line in archived(tmp_path, "router-answers")] == [told.error]
    assert run("archive", "router-answers", "--older-than", "90d", "--dry-run", "--json").json["rows"] == 0


def test_orders_and_events_are_never_touched(tmp_path):
    order_in_book()
    before = list(Order.objects.values()), list(OrderEvent.objects.values())
    for what in ("rejected", "router-answers"):
        run("archive", what, "--older-than", "0s", "--to", str(tmp_path))
    assert (list(Order.objects.values()), list(OrderEvent.objects.values())) == before


def test_a_dry_run_says_how_many_and_changes_nothing(tmp_path):
    rejected("old", **DISCARDED)
    answer = run("archive", "rejected", "--older-than", "90d", "--dry-run", "--json")
    assert answer.json == {"rows": 1, "file": None}
    assert left() == ["old"]


def test_where_nothing_is_old_no_file_is_left(tmp_path):
    assert (
        run("archive", "rejected", "--older-than", "90d", "--to", str(tmp_path)).text
        == "Nothing is as old.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("rejected", "--older-than", "90d"),
        ("router-answers", "--older-than", "90d", "--undecided", "--dry-run"),
    ],
)
def test_misuse_ends_with_2(arguments):
    assert run("archive", *arguments).code == 2


def test_many_go_in_batches_each_of_which_can_be_read_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 3)
    for number in range(8):
        rejected(f"old-{number}", **DISCARDED)
    with archive.new_file(tmp_path, "rejected-1.jsonl.gz") as file:
        steps = [step.rows for step in archive.archive(archive.REJECTED, datetime.now(UTC), file)]
    # Where they lie in the table is PostgreSQL's to say: a step ends with its pages, too.
    assert sum(steps) == 8
    assert max(steps) <= 3
    assert len(archived(tmp_path)) == 8
    assert left() == []


class Full(io.FileIO):
    """On a disk that takes one batch."""

    def write(self, data):
        if self.tell():
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_removes_nothing_that_is_not_in_the_file_and_the_next_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 3)
    for number in range(8):
        rejected(f"old-{number}", **DISCARDED)
    monkeypatch.setattr(archive, "new_file", lambda folder, name: Full(folder / name, "xb"))

    answer = run("archive", "rejected", "--older-than", "90d", "--to", str(tmp_path))

    assert answer.code == 1
    assert "No space left on device" in answer.errors
    assert "3 rows are in it" in answer.errors
    inside = {line["message_id"] for line in archived(tmp_path)}
    assert len(inside) == 3
    assert inside.isdisjoint(left())
    monkeypatch.undo()
    run("archive", "rejected", "--older-than", "90d", "--to", str(tmp_path))
    assert left() == []
    assert {line["message_id"] for line in archived(tmp_path)} == {f"old-{number}" for number in range(8)}


def test_a_consumer_never_waits_for_it(tmp_path):
    """In the middle of a batch, with its rows locked, orders are placed and messages come in beside them."""
    rejected("old", **DISCARDED)
    attempt(routed_order("ORD-0"), "The router answered 503")
    sql = Sql(patience=5)
    sql.run("SET lock_timeout = '200ms'", {})
    placed = []

    class Meanwhile(io.FileIO):
        def write(self, data):
            placed.extend(
                book.place(sql, [arrival(f"ORD-{len(placed) + 1}")], claim=uuid4(), hold=30, actor="test")
            )
            sql.run(
                "INSERT INTO rejected_messages (queue, message_id, body, body_hash, reason, error, headers)"
                " VALUES ('Q', %(id)s, '', '', 'POISON', '', '{}')",
                {"id": f"new-{len(placed)}"},
            )
            sql.run("UPDATE orders SET updated_at = now() WHERE order_id = 'ORD-0'", {})
            return super().write(data)

    try:
        for kind in (archive.REJECTED, archive.ROUTER_ANSWERS):
            with Meanwhile(tmp_path / kind.table, "xb") as file:
                assert sum(step.rows for step in archive.archive(kind, datetime.now(UTC), file)) == 1
    finally:
        sql.close()
    assert placed == ["ORD-1", "ORD-2"]
    assert left() == ["new-1", "new-2"]


def test_a_row_that_somebody_holds_is_left_for_the_next_time(tmp_path):
    held, free = rejected("held", **DISCARDED), rejected("free", **DISCARDED)
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: parameters[name] for name in names if parameters.get(name)}) as other:
        other.execute("SELECT FROM rejected_messages WHERE id = %s FOR UPDATE", [held.pk])
        run("archive", "rejected", "--older-than", "90d", "--to", str(tmp_path))
        assert left() == ["held"]
    assert [line["message_id"] for line in archived(tmp_path)] == [free.message_id]
