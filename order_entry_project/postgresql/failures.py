"""What fails on Django's connections is counted and told like what fails on the hot path's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import Error

from orders import sql

# Of Django's own statements: what they do, and to which table.
_OWN = re.compile(r'(\w+)\b(?:(?:(?!\b(?:FROM|INTO)\b).)*\b(?:FROM|INTO))? "(\w+)"', re.DOTALL)


def reporting(
    execute: Callable[..., Any], statement: str, parameters: Any, many: bool, context: dict[str, Any]
) -> Any:
    """One of a connection's `execute_wrappers`."""
    try:
        return execute(statement, parameters, many, context)
    except Error as error:
        if isinstance(error.__cause__, psycopg.Error):
            named = parameters if isinstance(parameters, dict) else {}
            sql.report(name_of(statement), named, error.__cause__)
        raise


@contextmanager
def reported(name: str) -> Iterator[None]:
    """The same for what is no statement."""
    try:
        yield
    except psycopg.Error as error:
        sql.report(name, {}, error)
        raise


def name_of(statement: str) -> str:
    """As given by its author, else such as `insert orders`."""
    if (given := sql.name_of(statement)) != sql.UNNAMED:
        return given
    own = _OWN.match(statement)
    return f"{own[1].lower()} {own[2]}" if own else sql.UNNAMED
