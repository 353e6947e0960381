"""Hostile text is shown and never run, and browsers are told to run nothing but this service's own scripts."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from tests.callers import PASSWORD, bearing, person
from tests.security.hostile import MARKUP, Page, plant

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"
DATA = ["/health/live", "/order/NONE", "/openapi.json", "/metrics", "/nowhere", "/order?view=x"]
STRICT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def policy(response) -> dict[str, list[str]]:
    parts = [part.split() for part in response["Content-Security-Policy"].split("; ")]
    return {name: values for name, *values in parts}


def runs_nothing_planted(response) -> Page:
    page = Page(response.content.decode())
    assert page.scripts == []
    assert page.handlers == []
    assert not [value for value in page.evaluated if "onload=h" in value]
    assert not [link for link in page.links if link.lower().strip().startswith(("javascript:", "data:"))]
    return page


def pages_of(row) -> list[str]:
    prefix = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    pk = admin.utils.quote(row.pk)
    found = [reverse(f"{prefix}_{page}", args=[pk]) for page in ("change", "history", "delete")]
    listed = reverse(f"{prefix}_changelist")
    return [*found, listed, f"{listed}?q={quote(MARKUP)}", f"{listed}?{quote(MARKUP)}={quote(MARKUP)}"]


def test_markup_in_any_text_that_the_console_shows_is_shown_and_not_run(superuser):
    rows = plant()
    shown = 0
    for row in rows:
        for path in pages_of(row):
            response = superuser.get(path, follow=True)
            assert response.status_code in {200, 403, 404}, path
            runs_nothing_planted(response)
            shown += "onload=h" in response.content.decode()
    assert {type(row) for row in rows} == set(admin.site._registry)
    # All were there to be run: on each row's own page and in its list.
    assert shown >= 2 * len(rows)


def test_markup_in_what_an_action_says_is_not_run(superuser):
    order, *_ = plant()
    chosen = {"action": "route_to_a_venue", "_selected_action": [order.pk]}
    asked = superuser.post("/admin/orders/order/", chosen, follow=True)
    assert "onload=h" in asked.content.decode()
    runs_nothing_planted(asked)
    decide = asked.redirect_chain[-1][0].replace("/change/", "/decide/")
    for form in ({"route": MARKUP}, {"route": MARKUP, "reason": MARKUP}):
        answered = superuser.post(decide, form, follow=True)
        assert answered.status_code == 200
        assert "onload=h" in answered.content.decode()
        runs_nothing_planted(answered)


@pytest.mark.parametrize(
    "path",
    [f"/admin/{quote(MARKUP)}", f"{LOGIN}?next={quote(MARKUP)}", f"/docs?{quote(MARKUP)}={quote(MARKUP)}"],
)
def test_markup_in_an_address_is_not_run(client, path):
    runs_nothing_planted(client.get(path, follow=True))


def test_markup_as_a_name_at_the_log_in_is_not_run(client):
    response = client.post(LOGIN, {"username": MARKUP, "password": MARKUP})
    assert "onload=h" in response.content.decode()
    runs_nothing_planted(response)


def test_an_answer_for_programs_is_never_taken_for_a_page(client):
    for path in DATA:
        response = client.get(path)
        assert response["Content-Type"].split(";")[0] in {
            "application/json",
            "application/problem+json",
            "application/vnd.oai.openapi+json",
            "text/plain",
        }, path
        assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [*DATA, LOGIN, "/docs", "/", "/admin/nowhere/", "/admin/orders/order/"])
def test_every_answer_says_what_a_browser_may_do_with_it(client, path):
    response = client.get(path)
    for name, value in STRICT.items():
        assert response[name] == value, name
    told = policy(response)
    assert (
        told["default-src"] == told["base-uri"] == told["frame-ancestors"] == told["object-src"] == ["'none'"]
    )
    assert "camera=()" in response["Permissions-Policy"]
    assert "'unsafe-inline'" not in told.get("script-src", [])
    if not path.startswith("/admin"):
        assert "'unsafe-eval'" not in told.get("script-src", [])
    if path in DATA:
        assert "script-src" not in told


def test_a_refused_body_says_so_too(client):
    response = client.post("/order", b"x" * 70_000, content_type="application/json")
    assert response.status_code == 413
    assert response["X-Content-Type-Options"] == "nosniff"
    assert policy(response)["default-src"] == ["'none'"]


@pytest.mark.parametrize("path", ["/docs", LOGIN])
def test_pages_fetch_from_this_service_alone(client, path):
    page = runs_nothing_planted(client.get(path))
    assert page.links
    assert not [link for link in page.links if urlsplit(link).netloc]


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https:evil.example",
        "javascript:h()",
        "/\t/evil.example",
        " //evil.example",
        "http:///evil.example",
    ],
)
def test_a_log_in_leads_to_no_other_server(client, elsewhere):
    person("anna", is_staff=True)
    response = client.post(
        f"{LOGIN}?next={quote(elsewhere)}", {"username": "anna", "password": PASSWORD, "next": elsewhere}
    )
    assert response.status_code == 302
    target = urlsplit(response["Location"])
    assert (target.scheme, target.netloc) == ("", "")
    assert target.path.startswith("/admin/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost@evil.example"},
        {"Host": "localhost, evil.example"},
        {"Host": "localhost/evil"},
        {"Host": "localhost\\evil"},
        {"Host": "[::1"},
    ],
)
def test_a_host_that_is_not_ours_is_answered_nothing(headers):
    client = bearing("read")
    for path in ("/order", "/admin/login/", "/order/NONE"):
        response = client.get(path, headers=headers)
        assert response.status_code == 400
        assert "evil" not in response.content.decode() + str(response.headers)


def test_a_host_that_a_stranger_forwards_is_not_believed():
    response = bearing("read").get(
        "/order?limit=1", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    )
    assert response.status_code == 200
    assert b"evil" not in response.content


def test_forms_of_the_console_do_nothing_without_their_token(nothing_changes):
    browser = Client(enforce_csrf_checks=True)
    plant()
    root = person("root", is_superuser=True, is_staff=True)
    browser.force_login(root)
    forms = [
        ("/admin/orders/order/", {"action": "route_to_a_venue", "_selected_action": "x"}),
        ("/admin/orders/apitoken/add/", {"name": "x", "scopes": "operate", "days": 1}),
        ("/admin/orders/apitoken/", {"action": "revoke", "_selected_action": "1"}),
        ("/admin/auth/user/add/", {"username": "x", "password1": PASSWORD, "password2": PASSWORD}),
        (f"/admin/auth/user/{root.pk}/password/", {"password1": "x" * 20, "password2": "x" * 20}),
        (f"/admin/auth/user/{root.pk}/delete/", {"post": "yes"}),
        ("/admin/password_change/", {"old_password": PASSWORD}),
        ("/admin/logout/", {}),
    ]
    with nothing_changes:
        for path, form in forms:
            for extra in ({}, {"Origin": "https://evil.example"}, {"X-CSRFToken": "x" * 32}):
                assert browser.post(path, form, headers=extra).status_code == 403, path
    assert browser.get("/admin/").status_code == 200


def test_no_page_of_the_console_stays_in_a_cache(superuser):
    for path in ("/admin/", "/admin/orders/order/", "/admin/orders/apitoken/add/", LOGIN):
        assert re.search(r"no-store|private", superuser.get(path)["Cache-Control"]), path
