"""PostgreSQL: who lets us in, what it can do, whether the migrations are applied, what the clocks say."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any, LiteralString

import psycopg
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor

from order_entry_project.neighbours import TAKES_NO_WRITES
from order_entry_project.preflight import capacity, rights
from order_entry_project.preflight.finding import Finding, failed, first_line, ok, warning
from orders.connecting import Connection

_HOST = "database.sql_host"
_OFFSET = 1.0  # seconds that clocks may differ
_ROUNDS = 3
_NAMED = 8  # of the migrations that are missing

# What the server's refusal says, in which key it lies, and what to do. libpq gives no code while connecting.
_REFUSALS = (
    ("no credentials", "database.credentials_source", "see what the check of credentials says"),
    ("password", "database.sql_password", "set the password of that role, or have the role's changed to it"),
    (
        "no pg_hba.conf entry",
        "database.sql_user",
        "add a line for user, database and this host to pg_hba.conf",
    ),
    ("role ", "database.sql_user", "create the role, or correct the name"),
    ("database ", "database.sql_database", "create the database, or correct the name"),
    (
        "certificate",
        _HOST,
        "compare the server's certificate, its name and its authority with the configuration",
    ),
    ("SSL", _HOST, "compare what the server and the configuration say of TLS"),
    (
        "too many",
        _HOST,
        "raise max_connections, or lower database.pool_size, service.processes or service.replicas",
    ),
    ("resolve", _HOST, "correct the host name, or DNS"),
)


def findings(patience: float) -> Iterator[Finding]:
    try:
        connection = connect(patience)
    except psycopg.Error as error:
        yield _refused(error)
        return
    with connection:
        yield from _server(connection)
        yield _clock(connection)
        yield from capacity.findings(connection)
        yield from rights.findings(connection)
    yield from _migrations()


def connect(patience: float) -> psycopg.Connection[Any]:
    """As Django would, with every wait bounded."""
    parameters = connections["default"].get_connection_params()
    parameters.pop("context")
    parameters |= {
        "autocommit": True,
        "cursor_factory": psycopg.Cursor,
        "connect_timeout": max(2, int(patience)),
        "application_name": f"{settings.CONFIG.service.name} preflight",
        "options": f"-c statement_timeout={round(patience * 1000)}",
        "patience": patience,
    }
    return Connection.connect(**parameters)


def _refused(error: psycopg.Error) -> Finding:
    said = first_line(error)
    reason = said.rpartition("FATAL:")[2]
    away = _HOST, "start it, correct database.sql_host and sql_port, or open the firewall between"
    key, advice = next(((key, advice) for needle, key, advice in _REFUSALS if needle in reason), away)
    return failed(key, said, expected="PostgreSQL that lets this role into this database", advice=advice)


def _server(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    least = connections["default"].features.minimum_database_version or (0,)
    version = connection.info.server_version
    named = f"PostgreSQL {version // 10000}.{version % 10000} answers"
    if (version // 10000,) < least:
        yield failed(_HOST, named, expected=f"version {least[0]} or later", advice="upgrade the server")
    else:
        yield ok(_HOST, named)
    (read_only,) = _row(connection, TAKES_NO_WRITES)
    if read_only:
        yield failed(
            _HOST,
            "it takes no writes: it is a standby, or default_transaction_read_only is on",
            expected="the primary",
            advice="name the primary, or promote this one; ALTER ROLE … RESET default_transaction_read_only",
        )
    else:
        yield ok(_HOST, "it takes writes")
    yield _encryption(connection)


def _encryption(connection: psycopg.Connection[Any]) -> Finding:
    mode = settings.CONFIG.database.tls_mode
    if connection.pgconn.ssl_in_use and mode != "require":
        return ok(_HOST, "the connection is encrypted" + (", its server verified" * (mode == "verify-full")))
    if connection.pgconn.ssl_in_use:
        return warning(
            _HOST,
            "the connection is encrypted, but nobody knows with whom: the server's certificate is not verified",
            expected="TLS with the server's name verified",
            advice="set database.ca_cert to the authority that signed the server",
        )
    if connection.info.host.startswith("/") or ip_address(connection.info.hostaddr).is_loopback:
        return ok(_HOST, "the connection is not encrypted, and does not leave this machine")
    return warning(
        _HOST,
        "the connection is not encrypted: orders and the password's proof cross the network in clear",
        expected="TLS with the server's name verified",
        advice="turn ssl on at the server, set database.sslmode to null and database.ca_cert",
    )


def _clock(connection: psycopg.Connection[Any]) -> Finding:
    offset, uncertainty = clock_offset(connection)
    side = "ahead of" if offset > 0 else "behind"
    said = f"its clock is {abs(offset):.3f} s {side} ours, give or take {uncertainty:.3f} s"
    if abs(offset) - uncertainty <= _OFFSET:
        return ok(_HOST, said)
    return warning(
        _HOST,
        said,
        expected=f"at most {_OFFSET:g} s",
        advice="run NTP (chrony) on both machines: the ages and times of orders come from both clocks",
    )


def clock_offset(
    connection: psycopg.Connection[Any], clock: Callable[[], float] = time.time
) -> tuple[float, float]:
    """Seconds that the server's clock is ahead of `clock`, and how far that may be off: half a round trip."""
    rounds = []
    for _ in range(_ROUNDS):
        before, began = clock(), time.perf_counter()
        (theirs,) = _row(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
        half = (time.perf_counter() - began) / 2
        rounds.append((half, theirs - before - half))
    half, offset = min(rounds)
    return offset, half


def _migrations() -> Iterator[Finding]:
    key, connection = "database.sql_database", connections["default"]
    try:
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
    except (DatabaseError, InconsistentMigrationHistory) as error:
        yield failed(
            key,
            f"the migrations cannot be told: {first_line(error)}",
            expected="all migrations applied, django_migrations readable",
            advice="manage.py migrate, as the tables' owner; GRANT SELECT ON django_migrations to this role",
        )
        return
    finally:
        connection.close()
    if plan:
        missing = [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        yield failed(
            key,
            f"migrations are missing: {', '.join(missing[:_NAMED])}{more}",
            expected="all migrations applied",
            advice="manage.py migrate",
        )
    else:
        yield ok(key, "all migrations are applied")
    ours = {config.label for config in apps.get_app_configs()}
    if ahead := sorted(f"{app}.{name}" for app, name in unknown if app in ours):
        yield warning(
            key,
            f"the database has migrations that this version does not know: {', '.join(ahead)}",
            expected="the version that made them, or a later one",
            advice="deploy that version; to go back on purpose, see that its migrations allow the older code",
        )


def _row(connection: psycopg.Connection[Any], statement: LiteralString) -> Any:
    return connection.execute(statement).fetchone()
