from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from orders.sql import Sql


@pytest.fixture
def sql() -> Iterator[Sql]:
    """A connection as workers have it, to Django's database of the tests."""
    with closing(Sql(patience=5)) as made:
        yield made
