"""How much room the tables of the database take."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

# reltuples is what the planner believes since the last VACUUM or ANALYZE, -1 before the first.
_SIZES = """
SELECT c.relname,
       CASE WHEN c.reltuples < 0 THEN s.n_live_tup ELSE c.reltuples END::bigint,
       s.n_dead_tup,
       pg_table_size(c.oid),
       pg_indexes_size(c.oid)
FROM pg_class c
LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
ORDER BY pg_total_relation_size(c.oid) DESC, c.relname
"""


@dataclass(slots=True, frozen=True)
class TableSize:
    """Sizes in bytes, `table_bytes` with TOAST; `rows` estimated, `dead_rows` not yet vacuumed away."""

    name: str
    rows: int
    dead_rows: int
    table_bytes: int
    index_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.table_bytes + self.index_bytes


def table_sizes() -> list[TableSize]:
    """All tables, the largest first. Costs as much however large they are."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        return [TableSize(*row) for row in cursor.fetchall()]
