"""What has been kept long enough leaves the tables, into a compressed file first.

Note on order: a batch is written to the file and synced to the disk before the transaction that removes it commits.
So nothing is ever in neither; what a crash leaves in both is archived again by the next run. Each batch is a gzip
member of its own: what a crash tears is the last one, whose rows are all still in the table.

Note on locks: the table is walked through in ranges of its pages, which needs no index and never looks at a page
twice. A batch locks a few hundred old rows for the time of one disk sync; rows that anyone else holds are skipped,
and left for the next run.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from django.db import connection, transaction

BATCH = 200  # rows, up to some 13 MB of bodies
_PAGES = 256  # looked at in one statement
ARCHIVED = "(archived)"


@dataclass(slots=True, frozen=True)
class Kind:
    """What is archived of a table. `old`: which rows, `%(before)s` being the bound; `remove`: by their `%(ids)s`.

    Either may name `%(archived)s`, which stands where something was.
    """

    table: str
    old: str
    remove: str
    right: str  # on the table, that it takes


REJECTED = Kind(
    "rejected_messages",
    "state <> 'WAITING' AND decided_at < %(before)s",
    "DELETE FROM rejected_messages WHERE id = ANY(%(ids)s)",
    "DELETE",
)
UNDECIDED = Kind(
    "rejected_messages",
    "coalesce(decided_at, rejected_at) < %(before)s AND rejected_at < %(before)s",
    REJECTED.remove,
    REJECTED.right,
)
# The row stays: who was asked, when, with what outcome. An order that waits keeps what a person may need to see.
ROUTER_ANSWERS = Kind(
    "order_routes",
    """decided_at < %(before)s AND error NOT IN ('', %(archived)s)
        AND EXISTS (SELECT FROM orders o WHERE o.order_id = t.order_id AND NOT o.needs_review
                                           AND o.status IN ('ROUTED', 'EXECUTED', 'CANCELED'))""",
    "UPDATE order_routes SET error = %(archived)s WHERE id = ANY(%(ids)s)",
    "UPDATE",
)


@dataclass(slots=True, frozen=True)
class Step:
    """How far it has come: rows that are in the file and no longer in the table, pages looked through, of how many."""

    rows: int
    pages: int
    of: int


def permitted(kind: Kind) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(%s, %s)", [kind.table, kind.right])
        return bool(cursor.fetchone()[0])


def count(kind: Kind, before: datetime) -> int:
    """How many rows are old. Reads the whole table."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) FROM {kind.table} t WHERE {kind.old}",  # noqa: S608 - constants
            {"before": before, "archived": ARCHIVED},
        )
        return int(cursor.fetchone()[0])


def archive(kind: Kind, before: datetime, file: BinaryIO) -> Iterator[Step]:
    """Move what is old into `file`, a batch a step. Raises `OSError`, having removed nothing that is not in it."""
    pages = _pages(kind)
    for first in range(0, pages, _PAGES):
        moved = BATCH
        while moved == BATCH:
            moved = _move(kind, before, first, file)
            yield Step(moved, min(first + _PAGES, pages), pages)


def _pages(kind: Kind) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s) / current_setting('block_size')::int", [kind.table])
        return int(cursor.fetchone()[0])


def _move(kind: Kind, before: datetime, first: int, file: BinaryIO) -> int:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, row_to_json(t)::text FROM {kind.table} t"  # noqa: S608 - constants
            f" WHERE t.ctid >= %(first)s::tid AND t.ctid < %(end)s::tid AND {kind.old}"
            " LIMIT %(most)s FOR UPDATE OF t SKIP LOCKED",
            {
                "before": before,
                "archived": ARCHIVED,
                "first": f"({first},0)",
                "end": f"({first + _PAGES},0)",
                "most": BATCH,
            },
        )
        rows = cursor.fetchall()
        if rows:
            file.write(gzip.compress("".join(f"{text}\n" for _, text in rows).encode()))
            file.flush()
            os.fsync(file.fileno())
            cursor.execute(kind.remove, {"ids": [row[0] for row in rows], "archived": ARCHIVED})
    return len(rows)


def new_file(folder: Path, name: str) -> BinaryIO:
    """One that was not there before, and stays there: the folder is synced, too."""
    file = (folder / name).open("xb")
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return file
