"""Whether the role that runs the service may do with each table what the service does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from django.apps import apps

from order_entry_project.preflight.finding import Finding, failed, ok

_READ = ("SELECT",)
APPEND = ("SELECT", "INSERT")
_WRITE = ("SELECT", "INSERT", "UPDATE")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")

# Where less than all will do. What else there is are Django's own tables of people and sessions, and work tables.
_LESS: Mapping[str, tuple[str, ...]] = {
    "orders": _WRITE,
    "order_events": APPEND,
    "order_routes": _WRITE,
    "audit_entries": APPEND,
    "audit_anchors": APPEND,
    "api_tokens": _WRITE,
    "rejected_messages": _WRITE,
    "halts": _WRITE,
    "django_content_type": _READ,
    "auth_permission": _READ,
    "django_migrations": _READ,
}

_LACKING = """
SELECT n.name, array_agg(n.privilege ORDER BY n.place)
FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS n (name, privilege, place)
JOIN pg_class c ON c.oid = to_regclass(quote_ident(n.name))
WHERE NOT has_table_privilege(c.oid, n.privilege)
GROUP BY n.name ORDER BY n.name
"""


def needed() -> dict[str, tuple[str, ...]]:
    """What the running service does with each table. Migrations need its owner."""
    described = [model._meta for model in apps.get_models(include_auto_created=True)]  # noqa: SLF001 - public API
    tables = {model.db_table for model in described if model.managed}
    return {table: _LESS.get(table, _ALL) for table in sorted({*tables, "django_migrations"})}


def findings(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Of tables that are there: missing ones are for the migrations to tell."""
    pairs = [(table, privilege) for table, privileges in needed().items() for privilege in privileges]
    tables, privileges = zip(*pairs, strict=True)
    lacking = connection.execute(_LACKING, (list(tables), list(privileges))).fetchall()
    role, migrated = connection.execute(
        "SELECT current_user, to_regclass('orders') IS NOT NULL"
    ).fetchone() or ("", 0)
    if migrated and not lacking:
        yield ok("database.sql_user", f"{role} may do all it must with the tables")
    for table, missing in lacking:
        yield failed(
            "database.sql_user",
            f"{role} lacks {', '.join(missing)} on {table}",
            expected=f"{', '.join(needed()[table])} on {table}",
            advice=f'as the tables\' owner: GRANT {", ".join(missing)} ON {table} TO "{role}"',
        )
