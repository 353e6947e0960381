"""A token opens what its scopes say, until it expires, is revoked or loses its owner; then at once nothing."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.api import tokens
from orders.models import ApiToken, AuditEntry, OrderEvent
from orders.scopes import Scope
from tests.book_rows import order_in_book
from tests.callers import bearer, bearing, person, problem_of, token

pytestmark = pytest.mark.django_db

NEW = '{"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00}'


def test_a_token_is_recognisable_and_has_256_random_bits():
    row, text = token("read")
    assert re.fullmatch(r"oe_[A-Za-z0-9_-]{43}", text)
    assert row.prefix == text[:9]
    assert text != token("read", name="another")[1]


def test_only_its_hash_is_kept():
    row, text = token("read")
    assert bytes(row.digest) == hashlib.sha256(text.encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM api_tokens t UNION ALL SELECT a::text FROM audit_entries a")
        kept = " ".join(line for (line,) in cursor.fetchall())
    assert row.prefix in kept
    assert text[len(row.prefix) :] not in kept


def test_with_it_the_list_can_be_read():
    order_in_book()
    (order,) = bearing("read").get("/order").json()["results"]
    assert order["orderId"] == "ORD-20260214-001"


def test_what_a_token_creates_has_its_name_on_record():
    client = bearing("create", name="desk-tool")
    assert client.post("/order", NEW, content_type="application/json").status_code == 201
    assert re.fullmatch(r"desk-tool \(token oe_[A-Za-z0-9_-]{6}\)", OrderEvent.objects.get().actor)


def test_a_token_is_found_by_its_hash_in_one_query():
    client = bearing("read")
    with CaptureQueriesContext(connection) as queries:
        client.get("/order")
    assert sum('"api_tokens"."digest" =' in query["sql"] for query in queries) == 1
    client.get("/order")
    with CaptureQueriesContext(connection) as queries:
        client.get("/order")
    assert len(queries) == 2  # the token, the orders


def test_the_use_of_a_token_is_noted_once_a_minute():
    row, text = token("read")
    client = Client(headers=bearer(text))
    client.get("/order")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    client.get("/order")
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    client.get("/order")
    row.refresh_from_db()
    assert row.last_used_at > first


def test_a_book_that_cannot_be_written_can_be_read_with_a_token():
    client = bearing("read")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        assert client.get("/order").status_code == 200
    assert ApiToken.objects.get().last_used_at is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "oe_",
        "oe_" + "x" * 42,
        "oe_" + "x" * 44,
        "xx_" + "x" * 43,
        "oe_" + "x" * 42 + "ü",
        "oe_" + "x" * 42 + "'",
        "a b",
    ],
)
def test_what_is_no_token_is_refused_without_asking_sql(client, text, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/order", HTTP_AUTHORIZATION=f"Bearer {text}")
    problem_of(response, 401)
    assert response["WWW-Authenticate"].startswith('Bearer realm="order-entry", error="invalid_token"')


def test_an_unknown_token_is_refused_even_where_one_character_is_wrong(client):
    _, text = token("read")
    other = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert "unknown" in problem_of(client.get("/order", headers=bearer(other)), 401)["detail"]


def test_the_scheme_s_case_does_not_matter(client):
    _, text = token("read")
    assert client.get("/order", headers={"Authorization": f"bearer {text}"}).status_code == 200


def test_a_revoked_token_is_refused_at_once():
    row, text = token("read")
    client = Client(headers=bearer(text))
    assert client.get("/order").status_code == 200
    assert tokens.revoke(row.pk, actor="anna", reason="the laptop is gone")
    assert "revoked" in problem_of(client.get("/order"), 401)["detail"]
    assert not tokens.revoke(row.pk, actor="anna", reason="again")
    created, revoked = AuditEntry.objects.order_by("id")
    assert (created.action, created.subject) == ("api_token.create", "desk-tool")
    assert (revoked.action, revoked.actor, revoked.detail) == (
        "api_token.revoke",
        "anna",
        {"reason": "the laptop is gone", "prefix": row.prefix},
    )


def test_an_expired_token_is_refused():
    row, text = token("read")
    ApiToken.objects.update(expires_at=datetime.now(UTC))
    assert "expired" in problem_of(Client(headers=bearer(text)).get("/order"), 401)["detail"]
    assert tokens.state(row, row.expires_at) == "expired"
    assert tokens.state(row, row.expires_at - timedelta(microseconds=1)) == "living"


def test_a_token_of_a_deactivated_user_is_refused():
    anna = person("anna", "view_order")
    client = bearing("read", owner=anna)
    assert client.get("/order").status_code == 200
    anna.is_active = False
    anna.save()
    assert "orphaned" in problem_of(client.get("/order"), 401)["detail"]


def test_a_token_can_do_no_more_than_its_owner_may_today():
    anna = person("anna", "view_order")
    client = bearing("read", owner=anna)
    anna.user_permissions.clear()
    assert problem_of(client.get("/order"), 403)["scope"] == "read"


def test_nobody_makes_a_token_that_can_do_more_than_its_owner():
    anna = person("anna", "view_order")
    with pytest.raises(tokens.Refused, match="anna may not operate"):
        token("read", "operate", owner=anna)
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"name": ""}, "a name of 1 to 64"),
        ({"name": "x" * 65}, "a name of 1 to 64"),
        ({"name": "a\nb"}, "a name of 1 to 64"),
        ({"name": "../etc"}, "a name of 1 to 64"),
        ({"days": 0}, "a life of at most 731 days"),
        ({"days": -1}, "a life of at most 731 days"),
        ({"days": 732}, "a life of at most 731 days"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_what_can(wrong, expected):
    with pytest.raises(tokens.Refused, match=expected):
        token("read", **wrong)


def test_a_token_without_a_scope_is_refused():
    with pytest.raises(tokens.Refused, match="at least one scope of read, create, operate, metrics"):
        token()


def test_a_name_is_free_again_once_its_token_is_revoked():
    row, _ = token("read")
    with pytest.raises(tokens.Refused, match="there is a token desk-tool already"):
        token("read")
    tokens.revoke(row.pk, actor="anna", reason="rotation")
    token("read")


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"scopes": []}, "api_tokens_scopes_known"),
        ({"scopes": ["read", "everything"]}, "api_tokens_scopes_known"),
        ({"revoked_by": "anna"}, "api_tokens_revoked_by_someone"),
        ({"revoked_at": datetime.now(UTC)}, "api_tokens_revoked_by_someone"),
    ],
)
def test_rows_that_cannot_be_are_refused_by_sql(fields, constraint):
    token("read")
    with pytest.raises(IntegrityError, match=constraint):
        ApiToken.objects.update(**fields)


def test_scopes_are_sorted_and_counted_once():
    row, _ = token("read", "create", "read")
    assert row.scopes == [Scope.CREATE, Scope.READ]
