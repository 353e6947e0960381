"""`verify_audit` finds whatever the owner of the database does to the history, and names it."""

# ruff: noqa: S608 - composed of constants
from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from orders.models import AuditAnchor
from tests.integration.audit.histories import anchored, rehash, rewrite, routed
from tests.runbook import run

pytestmark = pytest.mark.django_db(transaction=True)

_OF = "WHERE order_id = %(id)s AND sequence ="
_SWAP = """UPDATE order_events SET sequence = CASE sequence WHEN 2 THEN 3 WHEN 3 THEN 2 END + {by}
           WHERE order_id = %(id)s AND sequence IN (2, 3)"""
_FORGED = """INSERT INTO order_events (order_id, sequence, event, actor, reason, hash)
             SELECT order_id, 4, 'CANCELED', 'ann', 'asked', order_event_hash(
                 hash, order_id, 4, 'CANCELED', 'ann', 'asked', statement_timestamp())
             FROM order_events WHERE order_id = %(id)s AND sequence = 3"""
_MISFIT = "does not fit what came before it"

# What is done to an order, and what is said of it: the event, and the words.
DAMAGE = {
    "event altered": (
        [f"UPDATE order_events SET event = 'PENDING_ROUTE' {_OF} 2"],
        {(2, _MISFIT), (None, "is ROUTED; its events say PENDING_ROUTE")},
    ),
    "actor altered": ([f"UPDATE order_events SET actor = 'nobody' {_OF} 3"], {(3, _MISFIT)}),
    "reason altered": ([f"UPDATE order_events SET reason = reason || ' ' {_OF} 3"], {(3, _MISFIT)}),
    "a letter moved to the next field": (
        [f"UPDATE order_events SET actor = 'worke', reason = 'r' || reason {_OF} 3"],
        {(3, _MISFIT)},
    ),
    "time altered": ([f"UPDATE order_events SET at = at + interval '1 us' {_OF} 1"], {(1, _MISFIT)}),
    "time at the end of times": ([f"UPDATE order_events SET at = 'infinity' {_OF} 1"], {(1, _MISFIT)}),
    "hash altered": ([f"UPDATE order_events SET hash = sha256('') {_OF} 2"], {(2, _MISFIT), (3, _MISFIT)}),
    "hash of another order": (
        [
            f"UPDATE order_events SET hash = (SELECT hash FROM order_events WHERE order_id = 'GOOD' LIMIT 1) {_OF} 3"
        ],
        {(3, _MISFIT)},
    ),
    "given to another order": (
        [f"UPDATE order_events SET order_id = 'GOOD', sequence = 4 {_OF} 3"],
        {(3, "is missing"), (None, "waits for a person; its events say otherwise")},
    ),
    "first removed": (
        [f"DELETE FROM order_events {_OF} 1"],
        {(1, "is missing"), (2, "ROUTED cannot come after")},
    ),
    "middle removed": ([f"DELETE FROM order_events {_OF} 2"], {(2, "is missing"), (None, "is ROUTED; its")}),
    "last removed": (
        [f"DELETE FROM order_events {_OF} 3"],
        {(3, "is missing"), (None, "waits for a person")},
    ),
    "all removed": (
        ["DELETE FROM order_events WHERE order_id = %(id)s"],
        {
            (1, "is missing, and so are all up to 3"),
            (None, "is ROUTED; its events say nothing"),
            (None, "waits for a person"),
        },
    ),
    "only the order removed": (
        ["DELETE FROM orders WHERE order_id = %(id)s"],
        {(None, "there are 3 events")},
    ),
    "forged with a fitting hash": (
        [_FORGED],
        {(4, "was inserted: the order has version 3"), (None, "is ROUTED; its events say CANCELED")},
    ),
    "exchanged": (
        [_SWAP.format(by=10), "UPDATE order_events SET sequence = sequence - 10 WHERE sequence > 10"],
        {
            (2, "was moved: it was written as event 3"),
            (3, "was moved: it was written as event 2"),
        },
    ),
    "price altered": (
        ["UPDATE orders SET price = 1 WHERE order_id = %(id)s"],
        {(None, "its content is not")},
    ),
    "content altered with its digest": (
        ["UPDATE orders SET digest = sha256('') WHERE order_id = %(id)s"],
        {(1, _MISFIT), (None, "its content is not")},
    ),
    "status altered": (
        ["UPDATE orders SET status = 'EXECUTED' WHERE order_id = %(id)s"],
        {(None, "is EXECUTED; its events say ROUTED")},
    ),
    "version altered": (["UPDATE orders SET version = 4 WHERE order_id = %(id)s"], {(4, "is missing")}),
    "review mark removed": (
        ["UPDATE orders SET needs_review = false WHERE order_id = %(id)s"],
        {(None, "does not wait for a person")},
    ),
}


def findings(*arguments: str) -> list[dict]:
    answer = run("verify_audit", "--json", *arguments)
    assert answer.code == bool(answer.json["total"]), answer
    return answer.json["findings"]


def test_each_damage_is_found_and_named_and_nothing_else_is():
    ids = {what: f"ORD-{number:03}" for number, what in enumerate(DAMAGE)}
    routed("GOOD", *ids.values())
    assert findings() == []
    for what, (statements, _) in DAMAGE.items():
        rewrite(*statements, id=ids[what])
    said: dict[str, set] = {}
    for found in findings():
        said.setdefault(found["order_id"], set()).add((found["sequence"], found["what"]))
    for what, (_, expected) in DAMAGE.items():
        told = said.pop(ids[what], set())
        fits = [any(at == where and words in text for at, text in told) for where, words in expected]
        assert (all(fits), len(told)) == (True, len(expected)), (what, told)
    # The event that was given to it.
    assert {sequence for sequence, _ in said.pop("GOOD")} == {4}
    assert said == {}


def test_a_person_is_told_where_and_what_and_one_order_can_be_asked_for():
    routed("ORD-1", "ORD-2")
    assert run("verify_audit").text.strip() == "Nothing was altered, removed, inserted or moved."
    rewrite(f"DELETE FROM order_events {_OF} 2", id="ORD-2")
    told = run("verify_audit", "--order", "ORD-2")
    assert "order ORD-2, event 2" in told.text
    assert (told.code, "Findings: 2" in told.errors) == (1, True)
    assert run("verify_audit", "--order", "ORD-1").code == 0
    assert run("verify_audit", "--since", "1h").code == 1
    rewrite(
        "UPDATE order_events SET at = at - interval '2 h'", "UPDATE orders SET updated_at = '2026-01-01Z'"
    )
    assert run("verify_audit", "--since", "1h").code == 0


def test_a_changed_function_of_the_database_does_not_mislead():
    routed("ORD-1")
    rewrite("UPDATE order_events SET actor = 'nobody'")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('order_event_hash'::regproc)")
        original = cursor.fetchone()[0]
        cursor.execute(original.replace("sha256(", "sha224("))
    try:
        rehash("ORD-1")
        assert {found["sequence"] for found in findings()} == {1, 2, 3}
    finally:
        with connection.cursor() as cursor:
            cursor.execute(original)


def test_history_rewritten_with_all_its_hashes_no_longer_fits_its_anchor():
    routed("ORD-1", "ORD-2", "ORD-3")
    anchor = anchored()
    assert (anchor.events, anchor.orders, findings()) == (9, 3, [])
    rewrite("UPDATE order_events SET actor = 'nobody' WHERE order_id = 'ORD-1' AND sequence = 2")
    rehash("ORD-1")
    (found,) = findings()
    assert (found["anchor"], "has another root" in found["what"]) == (anchor.pk, True)


def test_an_anchored_order_that_is_removed_without_a_trace_is_missed():
    routed("ORD-1", "ORD-2")
    routed("ORD-3")
    anchor = anchored()
    rewrite(
        *(
            f"DELETE FROM {table} WHERE order_id = 'ORD-2'"
            for table in ("order_routes", "order_events", "orders")
        )
    )
    said = [found["what"] for found in findings()]
    assert [found["anchor"] for found in findings()] == [anchor.pk, anchor.pk]
    assert "holds 9 events of 3 orders; in its time there are 6 of 2" in said[0]


def test_anchors_go_on_from_each_other_and_their_copies_outside_betray_whoever_makes_them_anew(tmp_path):
    kept = tmp_path / "anchors.jsonl"
    for order_id in ("ORD-1", "ORD-2", "ORD-3"):
        routed(order_id)
        answer = run("anchor_audit", "--json", "--settle", "0s")
        kept.write_text(kept.read_text() + answer.text if kept.exists() else answer.text)
    first, second, third = AuditAnchor.objects.order_by("id")
    assert (first.since, second.since, third.since) == (None, first.until, second.until)
    assert findings("--anchors", str(kept)) == []

    rewrite("UPDATE audit_anchors SET made_by = 'nobody' WHERE id = %(id)s", id=second.pk)
    assert [found["anchor"] for found in findings()] == [second.pk]
    rewrite("DELETE FROM audit_anchors WHERE id = %(id)s", id=second.pk)
    assert {found["anchor"] for found in findings()} == {third.pk}
    assert "is missing: a copy was kept outside" in findings("--anchors", str(kept))[-1]["what"]

    rewrite("DELETE FROM audit_anchors", "UPDATE order_events SET actor = 'nobody'")
    for order_id in ("ORD-1", "ORD-2", "ORD-3"):
        rehash(order_id)
    anchored()
    # All of it fits itself again, and only itself.
    assert findings() == []
    assert len(findings("--anchors", str(kept))) == 3


def test_an_anchor_ends_before_what_a_transaction_may_still_add():
    routed("ORD-1", "ORD-2")
    assert anchored().events == 6
    slow = psycopg.connect(
        **connection.get_connection_params() | {"context": None, "cursor_factory": psycopg.Cursor}
    )
    with slow:
        order_of = "SELECT order_id, 4, 'REVIEW_CLEARED', 'ann' FROM orders WHERE order_id = 'ORD-1'"
        slow.execute("UPDATE orders SET version = 4, needs_review = false WHERE order_id = 'ORD-1'")
        slow.execute(f"INSERT INTO order_events (order_id, sequence, event, actor) {order_of}")
        routed("ORD-3")
        assert anchored().events == 0
    assert anchored().events == 4
    assert findings() == []


def test_what_has_not_settled_is_left_to_the_next_anchor():
    routed("ORD-1")
    assert ["events", "0"] in run("anchor_audit", "--settle", "1h").lines
    assert anchored().events == 3
    told = run("anchor_audit")
    assert (told.code, "nothing has settled since the last anchor" in told.errors) == (1, True)
