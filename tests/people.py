"""People at the console."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client

ALL = ("view_order", "route_order", "retry_order", "cancel_order", "review_order", "execute_order")


def person(name: str, *permissions: str) -> Client:
    """Someone who is logged in, with these permissions; `user` of the client says who."""
    user = User.objects.create(username=name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    client.user = user
    return client


def said(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, str(message)) for message in response.context["messages"]]
