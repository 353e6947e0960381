"""Tokens are made in the console, shown once, listed, and revoked there, on record."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from orders.models import ApiToken, AuditEntry
from tests.callers import bearer, person, problem_of, token

pytestmark = pytest.mark.django_db

TOKENS = "/admin/orders/apitoken/"
FORM = {"name": "desk-tool", "scopes": ["read"], "days": "30"}


def staff(*permissions: str, name: str = "anna") -> Client:
    client = Client()
    client.force_login(person(name, *permissions, is_staff=True))
    return client


@pytest.fixture
def maker(db):
    return staff("add_apitoken", "view_apitoken", "revoke_apitoken", "view_order", "add_order")


def make(client: Client, **fields):
    return client.post(f"{TOKENS}add/", FORM | fields)


def text_in(response) -> str:
    return re.search(r'<code id="token">([^<]*)</code>', response.content.decode())[1]


def test_a_token_is_shown_once_and_opens_the_api(client, maker):
    response = make(maker)
    text = text_in(response)
    assert client.get("/order", headers=bearer(text)).status_code == 200
    assert "no-store" in response["Cache-Control"]
    row = ApiToken.objects.get()
    assert (row.owner.username, row.created_by) == ("anna", "anna")
    for path in (TOKENS, f"{TOKENS}{row.pk}/change/", f"{TOKENS}add/", "/admin/"):
        page = maker.get(path)
        assert page.status_code == 200
        assert text[len(row.prefix) :] not in page.content.decode()
    entry = AuditEntry.objects.get(action__startswith="api_token.")
    assert (entry.actor, entry.action, entry.subject) == ("anna", "api_token.create", "desk-tool")


def test_the_list_says_what_each_may_and_whether_it_lives(maker):
    make(maker)
    page = maker.get(TOKENS).content.decode()
    for said in ("desk-tool", ApiToken.objects.get().prefix, ">read<", ">anna<", ">living<"):
        assert said in page


def test_only_scopes_its_maker_has_are_offered_and_taken(maker):
    page = maker.get(f"{TOKENS}add/").content.decode()
    assert re.findall(r'name="scopes" value="(\w+)"', page) == ["read", "create", "metrics"]
    assert "operate is not one of the available choices" in make(maker, scopes=["operate"]).content.decode()
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "../../x"}, "expected a name"),
        ({"name": "<script>alert(1)</script>"}, "expected a name"),
        ({"scopes": []}, "This field is required"),
        ({"days": "0"}, "greater than or equal to 1"),
        ({"days": "9999999999"}, "less than or equal to 731"),
    ],
)
def test_what_cannot_be_is_said_in_the_form(maker, fields, says):
    page = make(maker, **fields).content.decode()
    assert says in page
    assert "<script>alert" not in page
    assert not ApiToken.objects.exists()


def test_a_name_that_is_taken_is_said_in_the_form(maker):
    make(maker)
    assert "there is a token desk-tool already" in make(maker).content.decode()


def test_revoking_ends_it_at_once_on_record(client, maker):
    text = text_in(make(maker))
    token_id = ApiToken.objects.get().pk
    chosen = {"action": "revoke", "_selected_action": [token_id]}
    assert "is revoked." in maker.post(TOKENS, chosen, follow=True).content.decode()
    problem_of(client.get("/order", headers=bearer(text)), 401)
    assert "was revoked already." in maker.post(TOKENS, chosen, follow=True).content.decode()
    entry = AuditEntry.objects.get(action="api_token.revoke")
    assert (entry.actor, entry.detail["reason"]) == ("anna", "revoked in the console")


def test_nobody_without_the_permission_makes_or_revokes_one():
    row, _ = token("read")
    viewer = staff("view_apitoken", "view_order")
    assert make(viewer).status_code == 403
    viewer.post(TOKENS, {"action": "revoke", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert (ApiToken.objects.count(), row.revoked_at) == (1, None)
    assert staff(name="bert").get(TOKENS).status_code == 403


@pytest.mark.parametrize("path", ["{}/change/", "{}/delete/"])
def test_nobody_changes_or_deletes_one_by_hand(admin_client, path):
    row, _ = token("read")
    assert admin_client.post(TOKENS + path.format(row.pk), {"scopes": "operate"}).status_code == 403
    assert ApiToken.objects.get().scopes == ["read"]


def test_a_page_elsewhere_cannot_make_or_revoke_one(maker):
    row, _ = token("read")
    maker.handler.enforce_csrf_checks = True
    assert make(maker).status_code == 403
    assert maker.post(TOKENS, {"action": "revoke", "_selected_action": [row.pk]}).status_code == 403
    assert list(ApiToken.objects.values_list("pk", "revoked_at")) == [(row.pk, None)]
