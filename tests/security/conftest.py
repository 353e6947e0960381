"""What attacks are made with and against; and that they changed nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core import serializers
from django.test import Client

from tests.callers import PASSWORD

# What being refused may leave behind: the record of it, sessions, and when someone was last seen.
_ON_RECORD = {"orders.auditentry", "sessions.session", "orders.storerecord", "admin.logentry"}
_SEEN = {"last_login", "last_used_at"}


@pytest.fixture(autouse=True)
def _limits_are_as_new(nobody_has_called_yet: None) -> None:
    pass


def contents() -> dict[str, list[str]]:
    """Every row of every table that an attack may not change."""
    models = [model for model in apps.get_models() if model._meta.label_lower not in _ON_RECORD]
    return {model._meta.label: sorted(_rows(model)) for model in models}


def _rows(model) -> Iterator[str]:
    for row in serializers.serialize("python", model._default_manager.all()):
        row["fields"] = {name: value for name, value in row["fields"].items() if name not in _SEEN}
        yield json.dumps(row, default=str, sort_keys=True)


@pytest.fixture
def nothing_changes(db) -> AbstractContextManager[None]:
    @contextmanager
    def watched():
        before = contents()
        assert sum(map(len, before.values())) > 0
        yield
        assert contents() == before

    return watched()


@pytest.fixture
def superuser(db) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client
