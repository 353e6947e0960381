"""The backend that `DATABASES` names: Django's, asking for the credentials at each connection.

`OPTIONS["patience"]`, seconds: the longest wait for an answer, of a connection or of one in the pool.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from django.conf import settings
from django.db.backends.postgresql import base
from psycopg import IsolationLevel, OperationalError
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from order_entry_project.postgresql import failures
from order_entry_project.postgresql.client import DatabaseClient
from order_entry_project.postgresql.pool_source import ANY_NUMBER, PoolSource
from order_entry_project.postgresql.times import with_quick_times
from orders.connecting import Connection
from orders.credentials import CredentialsUnavailable, Login


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    # Of each pool: the login that its last new connection was let in with.
    _let_in: dict[str, Login] = {}
    _comparing = threading.Lock()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(failures.reporting)

    @property
    def pool(self) -> ConnectionPool[Any] | None:
        pool: ConnectionPool[Any] | None = super().pool
        if pool is not None and not isinstance(pool.connection_class, PoolSource):
            pool.kwargs = lambda: {**self.get_connection_params(), "autocommit": True}
            source = PoolSource(
                pool, few=self.settings_dict["OPTIONS"]["pool"].get("max_waiting", ANY_NUMBER)
            )
            pool.connection_class = source  # type: ignore[assignment] # it is asked to connect, and nothing else
            # Django gives it psycopg's own, which waits as long as any statement may take.
            pool._check = source.check  # noqa: SLF001 - Django leaves no other way
        return pool

    def get_connection_params(self) -> dict[str, Any]:
        """Raises `OperationalError` where nobody says what the credentials are."""
        try:
            login = settings.CREDENTIALS.sql.current()
        except CredentialsUnavailable as error:
            raise OperationalError(f"no credentials: {error}") from None
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"] = with_quick_times(parameters["context"])
        return parameters | {"user": login.user, "password": login.password}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        with failures.reported("connect"):
            if self.pool is not None:
                return self._of_pool(self.pool, conn_params)
            self.isolation_level = IsolationLevel.READ_COMMITTED
            return Connection.connect(**conn_params)

    def _of_pool(self, pool: ConnectionPool[Any], conn_params: dict[str, Any]) -> Any:
        source: Any = pool.connection_class
        try:
            connection = self._in_turn(pool, conn_params)
        except PoolTimeout:
            source.failed()
            raise
        source.served()
        return connection

    def _in_turn(self, pool: ConnectionPool[Any], conn_params: dict[str, Any]) -> Any:
        """Those who gave up waiting stay in the pool's queue until it has a connection again.

        When it has given up connecting, nobody tries any more while they fill the queue: so they are removed.
        """
        try:
            return super().get_new_connection(conn_params)
        except TooManyRequests:
            with pool._lock:  # noqa: SLF001 - it has no way of its own to do this
                waiting = [client for client in pool._waiting if client.error is None]  # noqa: SLF001 - the same
                pool._waiting = deque(waiting)  # noqa: SLF001 - the same
            return super().get_new_connection(conn_params)

    def _configure_connection(self, connection: Connection) -> bool:
        """Called by the pool, too, with each of its new connections."""
        if self.pool is not None:
            self._retire_old_logins(self.pool, connection)
        changed: bool = super()._configure_connection(connection)  # type: ignore[misc] # its stubs do not know it
        return changed

    def _retire_old_logins(self, pool: ConnectionPool[Any], connection: Connection) -> None:
        """The first one let in with another login: those that were with the last one are let go as they fall idle."""
        login = Login(connection.info.user, connection.info.password)
        with self._comparing:
            last, self._let_in[self.alias] = self._let_in.get(self.alias), login
        if last is not None and last != login:
            pool.drain()
