"""The verifier finds each kind of damage, names the promise and the order, and finds nothing where there is none."""

from dataclasses import replace

import pytest
from django.db import connection

from order_entry_project.proof.evidence import Published
from tests.integration.proof.kept_book import BROKEN, C_CONFLICT, KeptBook

UNCONSTRAINED = "ALTER TABLE orders DROP CONSTRAINT orders_claim_only_to_route"
PARKED = """UPDATE orders SET status = 'PENDING_ROUTE', route = NULL, routed_at = NULL, due_at = now()
            WHERE order_id = 'ORD-A'"""
IN_REVIEW = "UPDATE orders SET needs_review = true, review_reason = 'x' WHERE order_id = 'ORD-A'"
ANOTHER_ROUTE = """INSERT INTO order_routes (id, order_id, attempt, outcome, route, decided_by, published_at)
                   VALUES (gen_random_uuid(), 'ORD-A', 2, 'ACCEPTED', 'XETRA', 'other', now())"""
REJECTED_AGAIN = """INSERT INTO rejected_messages (queue, message_id, body, body_hash, headers, reason, error)
                    SELECT 'other', message_id, body, body_hash, headers, reason, error FROM rejected_messages
                    WHERE message_id = 'm-x'"""
GOOD_REJECTED = """INSERT INTO rejected_messages (queue, message_id, body, body_hash, headers, reason, error)
                   VALUES ('orders', 'm-a', %s, '', '{}', 'POISON', '')"""
CACHE_AHEAD = """UPDATE store_records SET version = 3, bins = bins || '{"version": 3}'
                 WHERE key = 'orderStatus:ORD-A'"""
CACHE_ELSEWHERE = """UPDATE store_records SET bins = replace(bins::text, 'NASDAQ', 'XETRA')::jsonb
                     WHERE key = 'orderStatus:ORD-A'"""
CACHE_AT_AN_END = """UPDATE store_records SET bins = bins || '{"version": 1, "status": "CANCELED"}'
                     WHERE key = 'orderStatus:ORD-A'"""
CACHE_SPOILT = """UPDATE store_records SET bins = bins || '{"value": "[]"}' WHERE key = 'orderStatus:ORD-A'"""

DAMAGE_IN_SQL = {
    "an order is gone": (
        ["DELETE FROM orders WHERE order_id = 'ORD-A'"], "P1", "order ORD-A, sent as message m-a, is not in the book"
    ),
    "of an order only the route is left": (
        ["DELETE FROM orders WHERE order_id = 'ORD-A'"], "P1", "ORD-A has events or routes, and is not in the book"
    ),
    "a price is off by one digit": (
        ["UPDATE orders SET price = price + 0.00000001 WHERE order_id = 'ORD-B'"], "P2", "ORD-B is in the book with"
    ),
    "a side is turned": (["UPDATE orders SET side = 'SELL' WHERE order_id = 'ORD-A'"], "P2", "ORD-A is in the book"),
    "a counterparty is made up": (
        ["UPDATE orders SET counterparty = 'ACME' WHERE order_id = 'ORD-B'"], "P2", "ORD-B is in the book with"
    ),
    "a time is moved": (
        ["UPDATE orders SET created_at = created_at + interval '1 ms' WHERE order_id = 'ORD-A'"], "P2", "ORD-A is in"
    ),
    "an unknown field is lost": (["UPDATE orders SET extra = '{}' WHERE order_id = 'ORD-A'"], "P2", "ORD-A is in"),
    "another message is named": (
        ["UPDATE orders SET message_id = 'm-z' WHERE order_id = 'ORD-A'"], "P2", "that message m-z does not have"
    ),
    "a conflict is not quarantined": (
        ["DELETE FROM rejected_messages WHERE reason = 'CONFLICT'"], "P3", "m-c2 has other content than order ORD-C"
    ),
    "a conflict is called something else": (
        ["UPDATE rejected_messages SET reason = 'POISON' WHERE reason = 'CONFLICT'"], "P3", "m-c2 has other content"
    ),
    "a conflict is not put before a person": (
        ["DELETE FROM order_events WHERE event = 'REVIEW_REQUIRED'"], "P3", "ORD-C had a message with other content"
    ),
    "a broken message has vanished": (
        ["DELETE FROM rejected_messages WHERE message_id = 'm-x'"], "P8", "broken message m-x is not in quarantine"
    ),
    "a broken message is not whole": (
        ["UPDATE rejected_messages SET body = 'x' WHERE message_id = 'm-x'"], "P8", "message m-x is not in quarantine"
    ),
    "quarantine holds what nobody sent": (
        ["UPDATE rejected_messages SET message_id = 'm-z' WHERE message_id = 'm-x'"], "P8", "m-z is in quarantine with"
    ),
    "a message is quarantined twice": ([REJECTED_AGAIN], "P8", "m-x is in quarantine 2 times"),
    "attempts are still counted": (
        ["INSERT INTO delivery_attempts (queue, message_id, body_hash) VALUES ('orders', 'm-a', '')"],
        "P8", "messages whose attempts are still counted: 1",
    ),
    "an order is routed twice": (
        ["DROP INDEX order_routes_one_accepted", ANOTHER_ROUTE], "P4", "ORD-A has 2 accepted routes: NASDAQ"
    ),
    "a route is gone": (
        ["DELETE FROM order_routes WHERE order_id = 'ORD-A'"], "P4", "by NASDAQ-EXECUTION-1, which no attempt accepted"
    ),
    "the order names another route": (
        ["UPDATE orders SET route = 'XETRA' WHERE order_id = 'ORD-A'"], "P4", "by XETRA, which no attempt accepted"
    ),
    "attempts are counted wrong": (
        ["UPDATE orders SET attempts = 2 WHERE order_id = 'ORD-A'"], "P4", "ORD-A counts 2 attempts and has 1"
    ),
    "attempts have a gap": (
        ["UPDATE order_routes SET attempt = 2 WHERE order_id = 'ORD-A'"], "P4", "attempts of order ORD-A are numbered 2"
    ),
    "an accepted route did not route its order": (
        [PARKED], "P4", "is PENDING_ROUTE and has the accepted"
    ),
    "a claim is left": (
        [UNCONSTRAINED, "UPDATE orders SET claim = gen_random_uuid(), claimed_until = now() WHERE order_id = 'ORD-A'"],
        "P4", "ORD-A still bears a claim",
    ),
    "nobody routed it": (
        ["UPDATE orders SET status = 'PLACED', route = NULL, routed_at = NULL WHERE order_id = 'ORD-A'"],
        "P1", "ORD-A is still PLACED",
    ),
    "it is left waiting": (
        [PARKED], "P1", "ORD-A still waits to be routed"
    ),
    "it waits for a person for no reason": (
        [PARKED, IN_REVIEW],
        "P1", "ORD-A waits for a person, though the router was well",
    ),
    "it stands in the outbox": (
        ["UPDATE order_routes SET published_at = NULL WHERE order_id = 'ORD-A'"], "P5", "ORD-A was published and still"
    ),
    "the first event is gone": (
        ["DELETE FROM order_events WHERE order_id = 'ORD-A' AND sequence = 1"], "P6", "of order ORD-A are numbered 2"
    ),
    "the last event is gone": (
        ["DELETE FROM order_events WHERE order_id = 'ORD-A' AND sequence = 2"], "P6", "ORD-A has version 2, its last"
    ),
    "all events are gone": (["DELETE FROM order_events WHERE order_id = 'ORD-A'"], "P6", "first event of order ORD-A"),
    "events have a gap": (
        ["UPDATE order_events SET sequence = 3 WHERE order_id = 'ORD-A' AND sequence = 2",
         "UPDATE orders SET version = 3 WHERE order_id = 'ORD-A'"],
        "P6", "events of order ORD-A are numbered 1, 3",
    ),
    "a change has two events": (
        ["INSERT INTO order_events (order_id, sequence, event, actor, hash) VALUES ('ORD-A', 3, 'ROUTED', 'x', '')",
         "UPDATE orders SET version = 3 WHERE order_id = 'ORD-A'"],
        "P6", "ORD-A went from ROUTED to ROUTED",
    ),
    "a change has no event": (
        ["UPDATE orders SET status = 'EXECUTED' WHERE order_id = 'ORD-A'"], "P6", "ORD-A is EXECUTED, its events say"
    ),
    "nobody did it": (
        ["UPDATE order_events SET actor = '' WHERE order_id = 'ORD-A' AND sequence = 2"], "P6", "event 2 of order ORD-A"
    ),
    "a review has no event": (
        [IN_REVIEW],
        "P6", "ORD-A waits for a person, its events say otherwise",
    ),
    "a review was asked for twice": (
        ["INSERT INTO order_events SELECT 4, 'REVIEW_REQUIRED', 'x', '', now(), 'ORD-C', ''",
         "UPDATE orders SET version = 4 WHERE order_id = 'ORD-C'"],
        "P6", "a review of order ORD-C was asked for or cleared twice",
    ),
    "the cache is ahead": (
        [CACHE_AHEAD],
        "P7", "the cache has version 3 of order ORD-A, the book 2",
    ),
    "the cache tells another route": (
        [CACHE_ELSEWHERE],
        "P7", "the cache says route of order ORD-A is XETRA-EXECUTION-1, the book NASDAQ-EXECUTION-1",
    ),
    "the cache tells of an end that was not": (
        [CACHE_AT_AN_END],
        "P7", "the cache says for good that order ORD-A is CANCELED, the book ROUTED",
    ),
    "the cache holds something else": (
        [CACHE_SPOILT], "P7", "of order ORD-A is unread"
    ),
}  # fmt: skip


@pytest.fixture
def kept(db):
    connection.ensure_connection()
    return KeptBook(connection.connection)


def check_found(kept, promise, text):
    findings = kept.findings()
    assert any(one.promise == promise and text in one.what for one in findings), findings


def test_where_every_promise_was_kept_nothing_is_found(kept):
    assert kept.findings() == []


@pytest.mark.parametrize("damage", DAMAGE_IN_SQL)
def test_damage_in_sql_is_found(kept, damage):
    statements, promise, text = DAMAGE_IN_SQL[damage]
    kept.execute(*statements)
    check_found(kept, promise, text)


def test_an_order_that_nobody_sent_is_found(kept):
    kept.sent = [one for one in kept.sent if one.message_id != "m-a"]
    check_found(kept, "P2", "order ORD-A is in the book and nobody sent it")


def test_a_good_message_in_quarantine_is_found(kept):
    kept.connection.execute(GOOD_REJECTED, [kept.sent[0].body])
    check_found(kept, "P3", "message m-a says what the book says of order ORD-A, and was rejected as POISON")


def test_whichever_of_two_conflicting_messages_came_first_is_right(kept):
    kept.execute(
        "UPDATE orders SET message_id = 'm-c2', quantity = 2 WHERE order_id = 'ORD-C'",
        "DELETE FROM rejected_messages WHERE message_id = 'm-c2'",
    )
    check_found(kept, "P3", "message m-c has other content than order ORD-C in the book")


def test_messages_left_in_the_queue_are_found(kept):
    kept.waiting = 7
    check_found(kept, "P1", "messages left in the consumer queue: 7")


def test_a_second_execution_is_found(kept):
    kept.executions["ORD-A"] = 2
    check_found(kept, "P4", "the router executed order ORD-A 2 times")


def test_a_route_without_an_execution_is_found(kept):
    del kept.executions["ORD-A"]
    check_found(kept, "P4", "order ORD-A has an accepted route, and the router never executed it")


def test_an_execution_of_what_is_not_in_the_book_is_found(kept):
    kept.executions["ORD-Z"] = 1
    check_found(kept, "P4", "the router was asked for order ORD-Z, which is not in the book")


def test_an_order_that_was_never_published_is_found(kept):
    del kept.routed[0]
    check_found(kept, "P5", "order ORD-A is routed and was never published")


def test_a_publication_of_what_is_not_routed_is_found(kept):
    kept.routed.append(Published("routed:ORD-Z", kept.routed[0].body))
    check_found(kept, "P5", "message routed:ORD-Z was published, and no order is routed by that name")


def test_a_repeat_in_other_words_is_found(kept):
    kept.routed.append(replace(kept.routed[0], body=kept.routed[0].body + b" "))
    check_found(kept, "P5", "order ORD-A was published in 2 different wordings")


@pytest.mark.parametrize(
    ("was", "becomes", "text"),
    [
        (b'"price":145.50', b'"price":145.51', "with price 145.51, the book has 145.5"),
        (b"NASDAQ", b"XETRA", "with route XETRA-EXECUTION-1"),
        (b'"note":"as is"', b"", "with extra {}"),
        (b'"messageId":"m-a"', b'"messageId":"m-b"', "with messageId m-b"),
        (b'"side"', b'"seite"', "with seite BUY, the book has absent"),
        (b'"routed_at":"2', b'"routed_at":"3', "with routed_at 3"),
        (b"{", b"[", "with the document unreadable"),
    ],
)
def test_a_publication_that_says_something_else_is_found(kept, was, becomes, text):
    assert was in kept.routed[0].body
    kept.routed[0] = replace(kept.routed[0], body=kept.routed[0].body.replace(was, becomes))
    check_found(kept, "P5", text)


def test_a_repeat_in_the_same_words_is_no_finding(kept):
    kept.routed += kept.routed
    assert kept.findings() == []


def test_a_cache_that_is_behind_or_empty_is_no_finding(kept):
    kept.execute(
        """UPDATE store_records SET bins = bins || '{"version": 1, "status": "PLACED"}'
           WHERE key = 'orderStatus:ORD-A'""",
        "DELETE FROM store_records WHERE key = 'orderStatus:ORD-B'",
    )
    assert kept.findings() == []


def test_where_the_router_was_not_well_an_order_may_wait_for_a_person(kept):
    kept.execute(
        PARKED,
        IN_REVIEW,
        "UPDATE orders SET version = 3 WHERE order_id = 'ORD-A'",
        "UPDATE order_events SET event = 'PENDING_ROUTE' WHERE order_id = 'ORD-A' AND sequence = 2",
        "INSERT INTO order_events (order_id, sequence, event, actor, hash)"
        " VALUES ('ORD-A', 3, 'REVIEW_REQUIRED', 'x', '')",
        "UPDATE order_routes SET outcome = 'REFUSED', route = NULL WHERE order_id = 'ORD-A'",
    )
    del kept.routed[0]
    kept.router_was_well = False
    assert kept.findings() == []


def test_where_nothing_is_published_nothing_need_be(kept):
    kept.routed = None
    assert kept.findings() == []


def test_the_same_bytes_as_another_message_are_another_message(kept):
    kept.sent += [replace(BROKEN, message_id="m-y"), replace(C_CONFLICT, message_id="m-c3")]
    assert [one[:2] for one in kept.findings()] == [
        (
            "P3",
            "message m-c3 has other content than order ORD-C in the book, and is not in quarantine as CONFLICT",
        ),
        ("P8", "broken message m-y is not in quarantine with its bytes"),
    ]


def test_a_finding_reads_as_a_sentence_that_names_the_promise(kept):
    kept.waiting = 1
    (found,) = kept.findings()
    assert str(found) == "P1 (no order is lost): messages left in the consumer queue: 1"
