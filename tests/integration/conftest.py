from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from django.db import connections

from orders.sql import Sql
from tests.servers.postgres import Database


@pytest.fixture
def book(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The test's own database, where Django's connections go to, too."""
    here = connections["default"].settings_dict
    monkeypatch.setitem(here, "HOST", database.host)
    monkeypatch.setitem(here, "NAME", database.name)
    return database


@pytest.fixture
def sql() -> Iterator[Sql]:
    """A connection as workers have it, to Django's database of the tests."""
    with closing(Sql(patience=5)) as made:
        yield made
