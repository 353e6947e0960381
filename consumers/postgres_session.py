"""One session with the embedded queue: its connection, the lock that says it lives, every statement it makes.

Note on holding: a consuming session takes the advisory lock (`LOCK_CLASS`, n) under a random number n of its
own and writes n into `consumer` of each message it takes. PostgreSQL drops the lock when the connection ends,
however it ends, so a message whose `consumer` is nobody's lock belongs to a dead session: whoever looks gives
it back at once. No lease times, no heartbeats, nothing to configure.

Note on statements: each is a transaction of its own (autocommit). NOTIFY serialises commits, so it goes out
once per statement that publishes, never per message.

Note on commits: only publishing waits for the disk. A take or an acknowledgement that a crash of the server
undoes makes the message free again, which is what becomes of every message a session held that ended; and no
acknowledgement survives the work it stands for, because that was committed before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple, Self

import psycopg

from consumers.transport import Message

# First of the two ints of the advisory locks of queue sessions ("oequ"); the second is the session's number.
LOCK_CLASS = 0x6F657175

_LOCK: LiteralString = "SELECT pg_try_advisory_lock(%s, %s)"
# The array makes the choice once; as a join PostgreSQL may choose again and take more than the limit.
_TAKE: LiteralString = """
UPDATE queue_messages SET consumer = %s, deliveries = deliveries + 1
WHERE id = ANY (ARRAY(
    SELECT id FROM queue_messages WHERE queue = %s AND consumer IS NULL
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, body, message_id, content_type, headers, deliveries > 1
"""
_DELETE: LiteralString = "DELETE FROM queue_messages WHERE id = ANY (%s) AND consumer = %s"
_PUBLISH: LiteralString = """
WITH sent AS (
    INSERT INTO queue_messages (queue, body, message_id, correlation_id, content_type, headers)
    SELECT %s, m.body, m.message_id, m.correlation_id, m.content_type, m.headers::jsonb
    FROM unnest(%b::bytea[], %s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
        AS m (body, message_id, correlation_id, content_type, headers, n)
    ORDER BY m.n)
SELECT pg_notify(%s, ''), set_config('synchronous_commit', %s, true)
"""
# The dead are settled before any row is touched: a row that another session gives back and takes meanwhile
# bears a number that is not among them.
_GIVE_BACK_DEAD: LiteralString = """
WITH dead AS MATERIALIZED (
    SELECT DISTINCT consumer FROM queue_messages WHERE consumer IS NOT NULL
    EXCEPT
    SELECT objid::bigint::int FROM pg_locks
    WHERE locktype = 'advisory' AND classid = %s::bigint::oid AND objsubid = 2 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
UPDATE queue_messages SET consumer = NULL WHERE consumer IN (SELECT consumer FROM dead)
"""
_GIVE_BACK: LiteralString = """
WITH given AS (UPDATE queue_messages SET consumer = NULL WHERE consumer = %s)
SELECT pg_notify(%s, '')
"""
_FREE: LiteralString = "SELECT count(*) FROM queue_messages WHERE queue = %s AND consumer IS NULL"

_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_NAME_LENGTH = 255


class Taken(NamedTuple):
    id: int
    body: bytes
    message_id: str | None
    content_type: str | None
    headers: Mapping[str, Any]
    redelivered: bool


class Row(NamedTuple):
    """A message as its columns, such that PostgreSQL will take it."""

    body: bytes
    message_id: str
    correlation_id: str | None
    content_type: str
    headers: str


def row_of(message: Message) -> Row:
    """Raises `ValueError`, saying why, for a message whose properties PostgreSQL cannot hold."""
    for name in ("message_id", "correlation_id", "content_type"):
        text = getattr(message, name) or ""
        if "\0" in text or len(text) > _NAME_LENGTH:
            raise ValueError(f"{name}: expected at most {_NAME_LENGTH} characters, none of them NUL")
        text.encode()
    try:
        headers = json.dumps(dict(message.headers), ensure_ascii=False, allow_nan=False)
    except TypeError as error:
        raise ValueError(f"headers: {error}") from None
    if _NUL_IN_JSON.search(headers):
        raise ValueError("headers: NUL in a string")
    headers.encode()
    return Row(message.body, message.message_id, message.correlation_id, message.content_type, headers)


def channel_of(queue: str) -> str:
    """The NOTIFY channel of a queue; a channel's name has room for 63 bytes, a queue's for 255 characters."""
    return "order_entry_queue_" + hashlib.sha256(queue.encode()).hexdigest()[:32]


class Session:
    """A live connection. Any `psycopg.Error` from a method ends it: close it and open another."""

    def __init__(self, connection: psycopg.Connection, on_notify: Callable[[], None]) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)
        self._on_notify = on_notify
        self._number = 0
        self._durable = ""
        # libpq closes its socket as soon as it finds the connection lost; who watches one has to let go of it first.
        self._watched = os.dup(connection.fileno())
        connection.add_notify_handler(lambda _: on_notify())

    @classmethod
    def open(
        cls, connection: psycopg.Connection[Any], queue: str | None, on_notify: Callable[[], None]
    ) -> Self:
        """Where there is a `queue` to consume from, become one of its sessions."""
        session = cls(connection, on_notify)
        try:
            session._durable = session._commit_lazily()
            if queue is not None:
                session._consume(queue)
        except psycopg.Error:
            session.close()
            raise
        return session

    def _commit_lazily(self) -> str:
        """Do not wait for the disk from here on; the setting there was."""
        (before,) = self._cursor.execute("SHOW synchronous_commit").fetchall()[0]
        self._cursor.execute("SET synchronous_commit = off")
        return str(before)

    def _consume(self, queue: str) -> None:
        while not self._number:
            number = secrets.randbelow(2**31 - 1) + 1
            if self._cursor.execute(_LOCK, [LOCK_CLASS, number]).fetchone() == (True,):
                self._number = number
        self._cursor.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel_of(queue))))

    def fileno(self) -> int:
        """Readable when there is something to `read`, until `close`."""
        return self._watched

    def read(self) -> None:
        """Take in what the server has sent unasked; notifications go to `on_notify`."""
        self._connection.pgconn.consume_input()
        while self._connection.pgconn.notifies():
            self._on_notify()

    def take(self, queue: str, limit: int) -> list[Taken]:
        """Hold up to `limit` free messages, oldest first."""
        rows = self._cursor.execute(_TAKE, [self._number, queue, limit]).fetchall()
        return sorted(map(Taken._make, rows), key=lambda taken: taken.id)

    def delete(self, ids: Sequence[int]) -> None:
        self._cursor.execute(_DELETE, [ids, self._number])

    def publish(self, queue: str, rows: Iterable[Row]) -> bool:
        """True, once it is committed."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._cursor.execute(_PUBLISH, [queue, *columns, channel_of(queue), self._durable])
        return True

    def give_back_dead(self) -> None:
        """Free what sessions hold that have ended."""
        self._cursor.execute(_GIVE_BACK_DEAD, [LOCK_CLASS])

    def give_back(self, queue: str) -> None:
        """Free what this session holds."""
        self._cursor.execute(_GIVE_BACK, [self._number, channel_of(queue)])

    def free(self, queue: str) -> int:
        """Messages nobody holds."""
        rows = self._cursor.execute(_FREE, [queue]).fetchall()
        return int(rows[0][0])

    def close(self) -> None:
        self._connection.close()
        os.close(self._watched)
