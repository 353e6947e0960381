from __future__ import annotations

import pytest
from django.test import Client

from tests.callers import bearing


@pytest.fixture(autouse=True)
def _limits_are_as_new(nobody_has_called_yet: None) -> None:
    pass


@pytest.fixture
def desk() -> Client:
    """A program that may operate."""
    return bearing("operate")
