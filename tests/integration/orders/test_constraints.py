"""What the database refuses, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.db.models import CheckConstraint, Model, UniqueConstraint

from consumers.models import DeliveryAttempt, RejectedMessage
from orders.lifecycle import Event, Status
from orders.models import ApiToken, AuditAnchor, AuditEntry, Halt, Order, OrderEvent
from routing.models import BulkAction, OrderRoute, RouteApproval
from tests.book_rows import CREATED_AT, claimed, order_in_book, parked_order, routed_order

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


def an_order(**fields: Any) -> Callable[[], object]:
    return lambda: order_in_book(**fields)


def a_change(make: Callable[..., Order], **fields: Any) -> Callable[[], object]:
    return lambda: Order.objects.filter(pk=make().pk).update(**fields)


def an_event(**fields: Any) -> Callable[[], object]:
    row = {"sequence": 2, "event": Event.CANCELED, "actor": "test"} | fields
    return lambda: OrderEvent.objects.create(order=order_in_book(), **row)


def routes(*rows: dict[str, Any]) -> Callable[[], object]:
    def write() -> None:
        order = order_in_book()
        for attempt, row in enumerate(rows, 1):
            fields = {"attempt": attempt, "outcome": "REFUSED", "decided_by": "router", **row}
            OrderRoute.objects.create(id=uuid4(), order=order, **fields)

    return write


def rejected(*messages: dict[str, Any]) -> Callable[[], object]:
    def write() -> None:
        for message in messages:
            fields = {"queue": "q", "message_id": "m", "body": b"", "body_hash": bytes(32), "error": "why"}
            RejectedMessage.objects.create(**(fields | {"reason": "POISON"} | message))

    return write


def twice_tried() -> None:
    for _ in range(2):
        DeliveryAttempt.objects.create(queue="q", message_id="m", body_hash=bytes(32))


def a_halt(**fields: Any) -> Callable[[], object]:
    return lambda: Halt.objects.create(**({"reason": "feed is wrong", "actor": "sue"} | fields))


def an_audit_entry(**fields: Any) -> Callable[[], object]:
    row = {"actor": "sue", "action": "idempotency.clear", "subject": "ORD-1"} | fields
    return lambda: AuditEntry.objects.create(**row)


def api_tokens(*tokens: dict[str, Any]) -> Callable[[], object]:
    def write() -> None:
        for number, token in enumerate(tokens):
            fields = {"name": "desk", "prefix": "oe_", "digest": bytes([number]) * 32, "scopes": ["read"]}
            ApiToken.objects.create(**(fields | {"created_by": "sue", "expires_at": NOW} | token))

    return write


def an_anchor(**fields: Any) -> Callable[[], object]:
    row = {"until": NOW, "events": 2, "orders": 1, "root": bytes(32), "made_at": NOW, "made_by": "x"} | fields
    return lambda: AuditAnchor.objects.create(**row, hash=bytes(32))


def an_approval(**fields: Any) -> Callable[[], object]:
    row = {"route": "NYSE", "reason": "client asked", "notional": 1, "requested_by": "ann", "expires_at": NOW}
    return lambda: RouteApproval.objects.create(order=order_in_book(), **(row | fields))


def a_bulk_action(**fields: Any) -> Callable[[], object]:
    def write() -> None:
        BulkAction.objects.create(user=User.objects.create(username="ann"), operation="ROUTE", **fields)

    return write


ACCEPTED = {"outcome": "ACCEPTED", "route": "NYSE"}
MANUAL = {"outcome": "MANUAL", "route": "NYSE", "reason": "client asked"}

REFUSED: dict[str, list[Callable[[], object]]] = {
    "orders_status_known": [an_order(status="LOST"), a_change(order_in_book, status="")],
    "orders_side_known": [an_order(side="HOLD"), an_order(side="buy")],
    "orders_quantity_positive": [an_order(quantity=0), an_order(quantity=-1)],
    "orders_price_positive": [an_order(price=0), an_order(price=-1)],
    "orders_routed_has_route": [
        a_change(order_in_book, status=Status.ROUTED),
        a_change(order_in_book, status=Status.ROUTED, route="NYSE"),
        a_change(order_in_book, status=Status.EXECUTED, routed_at=NOW),
        a_change(routed_order, route=None),
    ],
    "orders_unrouted_has_no_route": [
        a_change(order_in_book, route="NYSE"),
        a_change(parked_order, routed_at=NOW),
        a_change(routed_order, status=Status.PLACED),
    ],
    "orders_pending_is_due_or_in_review": [
        a_change(order_in_book, status=Status.PENDING_ROUTE),
        a_change(parked_order, needs_review=False),
    ],
    "orders_claim_has_end": [
        a_change(order_in_book, claim=uuid4()),
        a_change(order_in_book, claimed_until=NOW),
    ],
    "orders_claim_only_to_route": [
        a_change(routed_order, **claimed()),
        a_change(order_in_book, status=Status.CANCELED, **claimed()),
    ],
    "orders_review_has_reason": [a_change(order_in_book, needs_review=True)],
    "order_events_event_known": [an_event(event="FORGOTTEN")],
    "order_events_sequence_from_one": [an_event(sequence=0), an_event(sequence=-1)],
    "order_routes_attempt_once": [routes({"attempt": 1}, {"attempt": 1})],
    "order_routes_one_accepted": [
        routes(ACCEPTED, ACCEPTED),
        routes(MANUAL, MANUAL),
        routes(ACCEPTED, MANUAL),
    ],
    "order_routes_outcome_known": [routes({"outcome": "PERHAPS"})],
    "order_routes_accepted_has_route": [routes(ACCEPTED | {"route": None}), routes(MANUAL | {"route": None})],
    "order_routes_manual_has_reason": [routes(MANUAL | {"reason": ""})],
    "rejected_messages_once": [rejected({}, {})],
    "delivery_attempts_once": [twice_tried],
    "halts_one_scope": [a_halt(symbol="AAPL", counterparty="ACME")],
    "halts_has_reason": [a_halt(reason="")],
    "api_tokens_name_unique": [api_tokens({}, {})],
    "api_tokens_scopes_known": [api_tokens({"scopes": []}), api_tokens({"scopes": ["read", "everything"]})],
    "api_tokens_revoked_by_someone": [
        api_tokens({"revoked_at": NOW}),
        api_tokens({"revoked_by": "sue"}),
    ],
    "route_approvals_say_where_and_why": [an_approval(route=""), an_approval(reason="")],
    "route_approvals_decided_by_someone": [
        an_approval(decision="DECLINED", decided_at=NOW),
        an_approval(decided_by="sue"),
    ],
    "bulk_actions_decided_with_reason": [a_bulk_action(decided_at=NOW)],
    "audit_entries_say_who_and_what": [an_audit_entry(actor=""), an_audit_entry(action="")],
    "audit_anchors_go_on_once": [lambda: (an_anchor()(), an_anchor()())],
    "audit_anchors_span_time": [an_anchor(since=NOW)],
    "rejected_messages_reason_known": [rejected({"reason": "BORING"})],
    "rejected_messages_state_known": [rejected({"state": "LOST", "decided_at": NOW, "decided_by": "sue"})],
    "rejected_messages_decided_by_someone": [
        rejected({"state": "REPLAYED", "decided_at": NOW}),
        rejected({"state": "DISCARDED", "decided_by": "sue"}),
    ],
}


@pytest.mark.parametrize(
    ("constraint", "write"), [(name, write) for name, writes in REFUSED.items() for write in writes]
)
def test_what_a_constraint_forbids_is_refused_in_its_name(constraint, write):
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        write()
    assert refusal.value.__cause__.diag.constraint_name == constraint


def test_every_constraint_of_the_service_is_tried_here():
    models: list[type[Model]] = [
        model for app in ("orders", "routing", "consumers") for model in apps.get_app_config(app).get_models()
    ]
    named = {constraint.name for model in models for constraint in model._meta.constraints}
    assert named == set(REFUSED)
    assert all(
        isinstance(constraint, CheckConstraint | UniqueConstraint)
        for model in models
        for constraint in model._meta.constraints
    )


def test_an_order_is_entered_once():
    order_in_book()
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        order_in_book()
    assert refusal.value.__cause__.diag.constraint_name == "orders_pkey"


def test_an_event_has_its_number_once():
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        an_event(sequence=1)()
    assert refusal.value.__cause__.diag.constraint_name == "order_events_pkey"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE order_events SET reason = 'prettier'",
        "DELETE FROM order_events",
        "TRUNCATE order_events",
        "TRUNCATE orders CASCADE",
    ],
)
def test_no_event_is_ever_changed_or_removed(statement):
    order_in_book()
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(ProgrammingError, match="order_events is append-only"), transaction.atomic():
        run(statement)
    assert OrderEvent.objects.count() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor = 'somebody else'",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries",
    ],
)
def test_what_people_did_stays_on_record(statement):
    an_audit_entry()()
    with pytest.raises(ProgrammingError, match="audit_entries is append-only"), transaction.atomic():
        run(statement)
    assert AuditEntry.objects.get().actor == "sue"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_anchors SET orders = 2", "DELETE FROM audit_anchors", "TRUNCATE audit_anchors"],
)
def test_an_anchor_stays_where_it_is(statement):
    an_anchor()()
    with pytest.raises(ProgrammingError, match="audit_anchors is append-only"), transaction.atomic():
        run(statement)
    assert AuditAnchor.objects.get().orders == 1


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_order_with_a_history_cannot_be_deleted():
    order_in_book()
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError), transaction.atomic():
        run("DELETE FROM orders")


def test_an_event_of_no_order_is_refused():
    run("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderEvent.objects.create(order_id="NOBODY", sequence=1, event=Event.PLACED, actor="test")


def test_several_refusals_and_one_acceptance_are_an_ordinary_history():
    routes({}, {"outcome": "UNKNOWN"}, ACCEPTED, {"outcome": "LATE"})()
    assert OrderRoute.objects.count() == 4


def test_a_canceled_order_may_have_been_routed_or_not():
    Order.objects.filter(pk=routed_order("A").pk).update(status=Status.CANCELED)
    Order.objects.filter(pk=order_in_book("B").pk).update(status=Status.CANCELED)
    assert Order.objects.filter(status=Status.CANCELED).count() == 2


def test_stored_json_comes_back_to_the_letter():
    text = '{"b": 1.10, "a": 1, "a": 2}'
    order_in_book(extra=text)
    assert Order.objects.get().extra == text
    assert Order.objects.get().created_at == CREATED_AT
