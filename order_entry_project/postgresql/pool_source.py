"""Where a pool's connections come from, and how many may wait for one."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from orders.connecting import Connection

# What psycopg's pool takes for no limit.
ANY_NUMBER = 0
# Seconds that a connection of the pool has to show that its server is there.
_SOON = 2.0


class PoolSource:
    """In the place of a pool's `connection_class`.

    Any number may wait at first: after a start all threads do, for connections that are just being made. From the
    first failure on it is `few`, until somebody has a connection again: while SQL is away, threads that wait for it are
    missing where it is not needed.
    """

    def __init__(self, pool: ConnectionPool[Any], *, few: int) -> None:
        self._pool = pool
        self._few = few
        self.served()

    def served(self) -> None:
        """Somebody has a connection that works."""
        self._pool.max_waiting = ANY_NUMBER

    def failed(self) -> None:
        """There is one that does not, or none in time."""
        self._pool.max_waiting = self._few

    def connect(self, conninfo: str = "", **parameters: Any) -> Connection:
        try:
            return Connection.connect(conninfo, **parameters)
        except psycopg.OperationalError:
            self.failed()
            raise

    def check(self, connection: Connection) -> None:
        patience, connection.patience = connection.patience, _SOON
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.OperationalError:
            self.failed()
            raise
        finally:
            connection.patience = patience
