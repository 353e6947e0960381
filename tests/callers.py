"""Callers of the API: people and tokens, what they send, and the problem they are told."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

from orders.api import tokens
from orders.models import ApiToken
from orders.scopes import Scope

PASSWORD = "correct horse battery"


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
