"""A PostgreSQL that lets nobody in but over TLS: Debian's own, for the one that the tests bring along has none."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from order_entry_project.embedded.processes import Child
from tests.mutual_tls import Authority
from tests.ports import free_port
from tests.servers.binaries import installed

# Who shows a certificate is the user it names; beside it, or without it, others are asked for passwords.
_ACCESS = """\
local   all all                          trust
hostssl all +by_certificate 127.0.0.1/32 cert
hostssl all in_clear        127.0.0.1/32 password
hostssl all all             127.0.0.1/32 scram-sha-256
"""
_CONFIG = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
ssl_ca_file = '{folder}/ca.pem'
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.pem'
fsync = off
log_min_messages = fatal
"""


@dataclass
class TlsPostgres:
    """`authority` believes and is believed; the certificate is for localhost. `admin` is a superuser's connection."""

    folder: Path
    port: int
    authority: Authority

    def admin(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommit connection by the socket."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True
        )

    def present(self, *, host: str = "localhost", days: float = 90) -> None:
        """Show a certificate of `authority` from now on, and believe those alone that it has issued."""
        self._own(self.authority.issue("server.pem", host, host=host, days=days), self.authority.ca_cert)
        self.reload()

    def reload(self, **settings: str) -> None:
        """Have new connections met with these settings and the files there are."""
        with self.admin() as admin:
            for name, value in settings.items():
                admin.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            (before,) = admin.execute("SELECT pg_conf_load_time()").fetchone() or (None,)
            admin.execute("SELECT pg_reload_conf()")
            # The postmaster reads them first; this session's own turn comes after.
            while admin.execute("SELECT pg_conf_load_time()").fetchone() == (before,):
                time.sleep(0.005)

    def _own(self, *files: Path) -> None:
        if (account := _account()) is not None:
            for file in files:
                os.chown(file, account.pw_uid, account.pw_gid)


@contextmanager
def tls_server() -> Iterator[TlsPostgres]:
    binaries = Path(installed("initdb", package="postgresql")).parent
    # Beside the run's folder, into which its account could not look.
    folder = Path(tempfile.mkdtemp(prefix="oe-tls-", dir="/tmp"))
    try:
        server = TlsPostgres(folder, free_port(), Authority(folder))
        certificate = server.authority.issue("server.pem", "localhost", host="localhost")
        server._own(folder, certificate, server.authority.ca_cert)
        data = folder / "data"
        initdb = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        subprocess.run(_as_account([*initdb, "--locale=C.UTF-8"]), check=True, capture_output=True)
        with (data / "postgresql.conf").open("a") as config:
            config.write(_CONFIG.format(port=server.port, folder=folder))
        (data / "pg_hba.conf").write_text(_ACCESS)
        argv = _as_account(["setpriv", "--pdeathsig", "INT", "--", binaries / "postgres", "-D", data])
        with Child.running(argv, name="PostgreSQL", log=folder / "log", stop=signal.SIGINT) as child:
            with _awaited(server, child) as admin:
                admin.execute("CREATE ROLE by_certificate")
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _awaited(server: TlsPostgres, child: Child) -> psycopg.Connection[Any]:
    """It takes connections before it serves them."""
    until = time.monotonic() + 30
    while True:
        child.check()
        try:
            return server.admin()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to be root: Debian's account for it. None where this is not root."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


def _as_account(argv: list[Any]) -> list[str]:
    account = _account()
    become = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]
    return [*(become if account else []), *map(str, argv)]
