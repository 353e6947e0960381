"""Whether the role that runs the service could change what is on record."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from order_entry_project.preflight.database import connect
from order_entry_project.preflight.finding import Finding, ok, warning
from order_entry_project.preflight.rights import APPEND, needed

_TOO_MUCH = """
SELECT current_user, coalesce(array_agg(c.relname ORDER BY c.relname), '{}')
FROM pg_class c
WHERE c.oid IN (SELECT to_regclass(quote_ident(name)) FROM unnest(%s::text[]) AS name)
  AND (has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') OR pg_has_role(c.relowner, 'MEMBER'))
"""


def findings(patience: float) -> Iterator[Finding]:
    append_only = [table for table, privileges in needed().items() if privileges == APPEND]
    try:
        with connect(patience) as connection:
            role, tables = connection.execute(_TOO_MUCH, (append_only,)).fetchone() or ("", [])
    except psycopg.OperationalError:
        return  # the check of the database says why
    if tables:
        yield warning(
            "database.sql_user",
            f"{role} could alter what is on record: {', '.join(tables)}",
            expected="a role that may SELECT and INSERT there, and owns nothing",
            advice="manage.py create_roles, and name its run-time role here",
        )
    else:
        yield ok("database.sql_user", f"{role} cannot alter what is on record")
