"""Whoever has no right to something gets nothing and changes nothing, at every address there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from re import sub

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from orders.api import tokens
from orders.models import ApiToken
from tests.callers import basic, bearer, person, token
from tests.security.hostile import plant

pytestmark = pytest.mark.django_db

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# What is open to all, as docs/access.md says: no rights are needed, nothing can be changed.
OPEN = {
    "/",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/order/ORD-1",
    "/admin/login/",
    "/admin/logout/",  # of whoever is logged in: of themselves
    "/admin/jsi18n/",  # words for scripts
}
# Needs no right but being one of the staff.
OF_ALL_STAFF = {
    "/admin/",
    "/admin/home/",
    "/admin/search/",
    "/admin/password_change/",
    "/admin/password_change/done/",
}
ORDER = '{"orderId": "LET-IN", "symbol": "X", "side": "BUY", "quantity": 1, "price": 1, "reason": "x", "route": "Y"}'


def addresses() -> list[str]:
    """Each address that the service answers at, with the ids of nothing in particular."""
    return sorted({_filled(pattern) for pattern in _patterns(get_resolver(), "/")})


def _patterns(resolver: URLResolver, before: str):
    for part in resolver.url_patterns:
        here = before + str(part.pattern)
        if isinstance(part, URLPattern):
            yield here
        else:
            yield from _patterns(part, here)


def _filled(pattern: str) -> str:
    pattern = pattern.replace("^", "").replace("\\Z", "").replace("$", "")
    pattern = sub(r"\(\?P<order_id>\[[^)]*\)", "ORD-1", pattern)
    pattern = sub(r"\(\?P<app_label>[^)]*\)", "orders", pattern)
    pattern = sub(r"\(\?P<url>\.\*\)", "nowhere", pattern)
    return sub(r"<[^>]*>", "1", pattern)


def nobody() -> Client:
    return Client()


def forger() -> Client:
    return Client(headers=bearer("oe_" + "A" * 43))


def holder_of_an_expired_token() -> Client:
    _, text = token("read", "create", "operate", "metrics")
    ApiToken.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    return Client(headers=bearer(text))


def holder_of_a_revoked_token() -> Client:
    made, text = token("read", "create", "operate", "metrics")
    tokens.revoke(made.pk, actor="test", reason="a test")
    return Client(headers=bearer(text))


def holder_of_a_token_for_metrics() -> Client:
    return Client(headers=bearer(token("metrics")[1]))


def guesser() -> Client:
    person("anna", is_superuser=True, is_staff=True)
    return Client(headers=basic("anna", "wrong"))


def user_without_rights() -> Client:
    client = Client()
    client.force_login(person("anna"))
    return client


def staff_without_rights() -> Client:
    client = Client()
    client.force_login(person("anna", is_staff=True))
    return client


CALLERS = [
    nobody,
    forger,
    holder_of_an_expired_token,
    holder_of_a_revoked_token,
    holder_of_a_token_for_metrics,
    guesser,
    user_without_rights,
    staff_without_rights,
]


def test_there_is_an_address_for_each_page():
    found = addresses()
    assert {"/order", "/order/ORD-1/events", "/admin/orders/order/1/change/", "/metrics"} <= set(found)
    assert set(found) >= OPEN | OF_ALL_STAFF
    assert not [path for path in found if set(path) & set("(?<>^\\")]


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.__name__)
def test_without_the_right_there_is_no_way_in(caller, nothing_changes):
    plant()
    client = caller()
    client.raise_request_exception = False
    allowed = OPEN | (OF_ALL_STAFF if caller is staff_without_rights else set())
    let_in, broken = [], []
    with nothing_changes:
        for path in addresses():
            for method in METHODS if path != "/admin/logout/" else ["GET"]:
                answer = client.generic(method, path, ORDER, content_type="application/json")
                if answer.status_code >= 500 and not path.startswith("/health"):
                    broken.append((method, path, answer.status_code))
                # Where a redirect leads is an address of its own.
                told = b"onload=h" in answer.content  # of any row
                if answer.status_code < 300 and answer.content and (told or path not in allowed):
                    let_in.append((method, path, answer.status_code))
    assert let_in == []
    assert broken == []


CHOSEN = {"_selected_action": "1", "post": "yes"}
DECIDED = {"action": "route_to_a_venue", "decided": "yes", "route": "X", "reason": "x"}
WORDS = {"password1": "p" * 20, "password2": "p" * 20}
STEPS_UP = [
    ("/admin/orders/apitoken/add/", {"name": "x", "scopes": "operate", "days": 1}),
    ("/admin/auth/user/add/", WORDS | {"username": "x", "usable_password": "true"}),
    ("/admin/auth/group/add/", {"name": "x"}),
    ("/admin/orders/order/", CHOSEN | DECIDED),
    ("/admin/orders/order/", CHOSEN | {"action": "delete_selected"}),
    ("/admin/consumers/rejectedmessage/", CHOSEN | {"action": "delete_selected"}),
    ("/admin/orders/auditentry/", CHOSEN | {"action": "delete_selected"}),
    ("/admin/orders/apitoken/", CHOSEN | {"action": "revoke"}),
    ("/admin/orders/halt/", CHOSEN | {"action": "delete_selected"}),
]


def test_someone_who_may_look_at_everything_can_change_nothing(nothing_changes):
    rows = plant()
    views = [f"view_{row._meta.model_name}" for row in rows]
    viewer = person("viewer", *views, is_staff=True)
    client = Client(raise_request_exception=False)
    client.force_login(viewer)
    selected = [row.pk for row in rows]
    with nothing_changes:
        for path, form in STEPS_UP:
            client.post(path, form | ({"_selected_action": selected} if "_selected_action" in form else {}))
        client.post(f"/admin/auth/user/{viewer.pk}/change/", {"username": "viewer", "is_superuser": "on"})
        client.post(f"/admin/auth/user/{viewer.pk}/password/", WORDS)
        for row in rows:
            base = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}"
            assert client.post(f"{base}/delete/", {"post": "yes"}).status_code in {302, 403, 404}


def test_not_even_a_superuser_changes_or_deletes_what_is_on_record(superuser, nothing_changes):
    rows = [row for row in plant() if row._meta.app_label in {"orders", "consumers"}]
    with nothing_changes:
        for row in rows:
            base = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
            for page in (f"{base}{row.pk}/delete/", f"{base}{row.pk}/change/"):
                assert superuser.post(page, {"post": "yes", "reason": "other"}).status_code in {302, 403, 404}
            superuser.post(base, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})


@pytest.mark.parametrize(
    "path",
    [
        "/admin/orders/apitoken/?owner__password__startswith=md5",
        "/admin/orders/order/?routes__error__startswith=a",
        "/admin/auth/group/?user__password__startswith=md5",
        "/admin/auth/user/?password__startswith=md5",
    ],
)
def test_a_list_cannot_be_asked_for_what_it_does_not_show(superuser, path):
    plant()
    response = superuser.get(path)
    assert response.status_code in {302, 400}
    if response.status_code == 302:
        assert response["Location"].endswith("?e=1")
