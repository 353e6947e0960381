"""Callers of the API of every kind, and its limits as new for each test."""

from __future__ import annotations

import base64
import json
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.test import Client

from orders import logins
from orders.api import rates, throttles, tokens
from orders.api.rates import Turns
from orders.models import ApiToken
from orders.scopes import Scope

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nobody_has_called_yet(monkeypatch):
    # For the limits time stands still: on a slow machine a turn would come back before the test has used up all.
    now = time.monotonic()
    monkeypatch.setattr(rates, "time", SimpleNamespace(monotonic=lambda: now))
    for module, name in (
        (throttles, "_addresses"),
        (throttles, "_callers"),
        (throttles, "_creations"),
        (logins, "_failures"),
    ):
        monkeypatch.setattr(module, name, Turns())


@pytest.fixture
def configure(monkeypatch):
    """Change keys of the configuration: `configure(section, key=value)`."""

    def change(section: str, **keys: Any) -> None:
        before = getattr(settings.CONFIG, section)
        changed = type(before).model_validate(before.model_dump() | keys)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={section: changed}))

    return change


def person(name: str, *permissions: str, **fields: Any) -> User:
    user = User.objects.create_user(name, password=PASSWORD, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def token(
    *scopes: str, name: str = "desk-tool", owner: User | None = None, days: float = 90
) -> tuple[ApiToken, str]:
    return tokens.create(
        name=name,
        scopes=[Scope(scope) for scope in scopes],
        life=timedelta(days=days),
        owner=owner,
        actor="test",
        reason="a test",
    )


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def bearing(*scopes: str, **of_token: Any) -> Client:
    """A client that bears a token of these scopes."""
    return Client(headers=bearer(token(*scopes, **of_token)[1]))


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def problem_of(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    document = json.loads(response.content)
    assert (document["status"], document["type"]) == (status, "about:blank")
    assert document["title"]
    assert document["detail"]
    return document
