"""The limits are as new for each test; people who are logged in."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.callers import person


@pytest.fixture(autouse=True)
def _limits_are_as_new(nobody_has_called_yet: None) -> None:
    pass


@pytest.fixture
def as_trader(client: Client) -> Client:
    client.force_login(person("trader", "add_order"))
    return client


@pytest.fixture
def as_reader(client: Client) -> Client:
    client.force_login(person("reader", "view_order"))
    return client
