"""Tokens of the API from the command line: made and shown once, listed, revoked, on record."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from orders.models import ApiToken, AuditEntry
from tests.runbook import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna():
    user = User.objects.create(username="anna")
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    return user


def create(*arguments, name="prometheus", scope="read"):
    return run("create_api_token", name, "--scope", scope, *arguments)


def listed(*arguments):
    return [(row["name"], row["state"]) for row in run("list_api_tokens", "--json", *arguments).json]


def test_a_token_is_all_that_is_printed_and_opens_the_api(client):
    answer = create()
    assert answer.code == 0
    text = answer.text.strip()
    assert client.get("/order", headers={"Authorization": f"Bearer {text}"}).status_code == 200
    assert "cannot be shown again" in answer.errors
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.detail["reason"]) == (
        "api_token.create",
        "prometheus",
        "create_api_token was asked for",
    )


def test_what_was_made_can_be_had_as_json():
    answer = create("--scope", "metrics", "--expires", "30d", "--json").json
    assert answer["scopes"] == ["metrics", "read"]
    assert answer["token"].startswith("oe_")
    assert answer["owner"] is None


def test_a_token_can_belong_to_a_user(anna):
    assert create("--owner", "anna").code == 0
    assert ApiToken.objects.get().owner == anna


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--owner", "nobody"), "there is no active user 'nobody'"),
        (("--owner", "anna", "--scope", "operate"), "anna may not operate"),
        (("--expires", "10000d"), "a life of at most 731 days"),
    ],
)
def test_one_that_cannot_be_is_refused_with_why(anna, arguments, says):
    answer = create(*arguments)
    assert (answer.code, ApiToken.objects.exists()) == (1, False)
    assert says in answer.errors


def test_tokens_are_listed_and_never_shown():
    text = create("--expires", "1d").text.strip()
    answer = run("list_api_tokens")
    assert [word in answer.text for word in ("prometheus", text[:9], "living")] == [True] * 3
    assert text not in answer.text


def test_where_there_are_none_it_says_so():
    assert run("list_api_tokens").text == "There are none.\n"


def test_a_revoked_token_is_dead_and_listed_as_such():
    text = create().text.strip()
    assert listed() == [("prometheus", "living")]
    answer = run("revoke_api_token", "prometheus", "--user", "anna", "--reason", "rotation")
    assert answer.text == f"prometheus ({text[:9]}…) is revoked.\n"
    assert Client(headers={"Authorization": f"Bearer {text}"}).get("/order").status_code == 401
    assert (listed(), listed("--all")) == ([], [("prometheus", "revoked")])
    assert AuditEntry.objects.get(action="api_token.revoke").detail["reason"] == "rotation"
    again = run("revoke_api_token", "prometheus")
    assert (again.code, "There is no token 'prometheus'" in again.errors) == (1, True)
