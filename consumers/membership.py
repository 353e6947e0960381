"""Who consumes what, within one consumer group: members share the partitions out among themselves.

Note on sharing: every member holds the advisory lock (`MEMBER`, n) under a number of its own, and the lock
(`partition class of the group`, hash of the name) of each partition it consumes. Both end with its connection,
however that ends, so that the partitions of a dead member are free at once. Members decide alone, each looking
at what is held: nobody keeps more than its share, and whoever has less takes what is free.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, LiteralString

import psycopg

_LOCK: LiteralString = "SELECT pg_try_advisory_lock(%s, %s)"
_UNLOCK: LiteralString = "SELECT pg_advisory_unlock(%s, %s)"
_MEMBERS: LiteralString = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s::bigint::oid AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Membership:
    """One member of `group`; `connect()` makes each connection, autocommitting.

    A `psycopg.Error` from any method ends the membership: all partitions are lost, and `join` begins anew.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], *, group: str) -> None:
        self._connect = connect
        self._members_class = _hash(f"members of {group}")
        self._partitions_class = _hash(f"partitions of {group}")
        self._connection: psycopg.Connection[Any] | None = None
        self.held: list[str] = []

    @property
    def joined(self) -> bool:
        return self._connection is not None

    def join(self) -> None:
        self.leave()
        self._connection = self._connect()
        while not self._try_lock(self._members_class, secrets.randbelow(2**31)):
            pass

    def leave(self) -> None:
        """Give everything up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.held = []

    def share_of(self, partitions: Sequence[str]) -> int:
        """How many of `partitions` each member consumes at most."""
        ((members,),) = self._run(_MEMBERS, [self._members_class])
        return ceil(len(partitions) / max(1, int(members)))

    def take(self, partitions: Sequence[str], *, limit: int) -> list[str]:
        """Lock up to `limit` free ones; which."""
        taken: list[str] = []
        for partition in partitions:
            if len(taken) >= limit:
                break
            if partition not in self.held and self._try_lock(self._partitions_class, _hash(partition)):
                taken.append(partition)
        self.held += taken
        return taken

    def release(self, partition: str) -> None:
        self._run(_UNLOCK, [self._partitions_class, _hash(partition)])
        self.held.remove(partition)

    def _try_lock(self, lock_class: int, number: int) -> bool:
        return self._run(_LOCK, [lock_class, number]) == [(True,)]

    def _run(self, statement: LiteralString, parameters: Sequence[Any]) -> list[Any]:
        if self._connection is None:
            raise psycopg.InterfaceError("not a member")
        return self._connection.execute(statement, parameters).fetchall()


def _hash(name: str) -> int:
    """A number for an advisory lock: 31 bits, the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
