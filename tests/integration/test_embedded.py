"""The embedded PostgreSQL: made, started, killed, refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from order_entry_project.config import BASE_DIR
from order_entry_project.embedded.postgres import EmbeddedPostgres
from order_entry_project.embedded.processes import EmbeddedError

_SETTINGS = {"fsync": "off"}
_OWNER = """
import sys, time
from pathlib import Path
from order_entry_project.embedded.postgres import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"}) as server:
    print(server.pid, flush=True)
    time.sleep(100)
"""


def embedded(data: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data, settings=_SETTINGS)


@contextmanager
def owner(data: Path, *prefix: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that runs a server on `data`, and that server's process id."""
    command = [*prefix, sys.executable, "-c", _OWNER, str(data)]
    with subprocess.Popen(command, cwd=BASE_DIR, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def runs(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def namespace(pid: int) -> Path:
    return Path(f"/proc/{pid}/ns/user").readlink()


def write(server: EmbeddedPostgres) -> None:
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def read(server: EmbeddedPostgres) -> int:
    with server.connect() as connection:
        return connection.execute("SELECT answer FROM kept").fetchone()[0]


@pytest.mark.long
def test_what_was_written_is_there_at_the_next_start(tmp_path: Path):
    with embedded(tmp_path / "pg") as server:
        write(server)
    with embedded(tmp_path / "pg") as server:
        assert read(server) == 42


def test_no_tcp_port_is_opened_and_no_other_user_reaches_the_socket(tmp_path: Path):
    with embedded(tmp_path / "pg") as server, server.connect() as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.execute("SHOW unix_socket_permissions").fetchone() == ("0700",)
        assert server.socket.stat().st_mode & 0o077 == 0


def test_nothing_runs_after_the_end(tmp_path: Path):
    with embedded(tmp_path / "pg") as server:
        pid = server.pid
    assert not runs(pid)


def test_a_database_is_created_once_and_dropped_even_while_in_use(tmp_path: Path):
    with embedded(tmp_path / "pg") as server:
        server.create_database("book")
        server.create_database("book")
        with server.connect("book") as user:
            user.execute("CREATE TABLE mine ()")
            server.drop_database("book")
        server.create_database("book")
        with server.connect("book") as connection:
            assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


@pytest.mark.long
def test_a_killed_server_recovers(tmp_path: Path):
    with embedded(tmp_path / "pg") as server:
        write(server)
        os.kill(server.pid, signal.SIGKILL)
    with embedded(tmp_path / "pg") as server:
        assert read(server) == 42


def test_the_server_ends_with_its_killed_owner_and_starts_again_at_once(tmp_path: Path):
    with owner(tmp_path / "pg") as (process, pid):
        process.kill()
        process.wait()
        with embedded(tmp_path / "pg") as server:
            assert server.pid != pid
            assert not runs(pid)


@pytest.mark.long
def test_a_second_owner_is_refused_in_words(tmp_path: Path):
    with owner(tmp_path / "pg") as (process, _):
        with pytest.raises(EmbeddedError, match=rf"in use by another run \(process {process.pid}\)"):
            embedded(tmp_path / "pg").__enter__()
        assert process.poll() is None


@pytest.mark.long
def test_a_stale_pid_file_with_a_number_in_use_does_not_matter(tmp_path: Path):
    with embedded(tmp_path / "pg"):
        stale = (tmp_path / "pg" / "postmaster.pid").read_text()
    _, rest = stale.split("\n", 1)
    (tmp_path / "pg" / "postmaster.pid").write_text(f"{os.getpid()}\n{rest}")
    with embedded(tmp_path / "pg") as server:
        server.connect().close()


@pytest.mark.long
def test_what_a_killed_first_start_left_half_made_is_made_again(tmp_path: Path):
    (tmp_path / "pg.new").mkdir()
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18")
    with embedded(tmp_path / "pg") as server:
        server.connect().close()
    assert not (tmp_path / "pg.new").exists()


@pytest.mark.long
def test_a_long_path_puts_the_socket_into_a_private_folder_that_goes_again(tmp_path: Path):
    data = tmp_path / ("long" * 30) / "pg"
    with embedded(data) as server:
        server.connect().close()
        assert server.socket != data
        assert server.socket.stat().st_mode & 0o077 == 0
    assert not server.socket.exists()


@pytest.mark.long
def test_a_socket_folder_that_someone_else_put_there_is_refused(tmp_path: Path):
    data = tmp_path / ("long" * 30) / "pg"
    folder = EmbeddedPostgres(data).socket
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match="not a folder of this user alone"):
            embedded(data).__enter__()
    finally:
        folder.unlink()


@pytest.mark.long
def test_a_wrong_setting_is_told_with_the_servers_own_words(tmp_path: Path):
    with pytest.raises(EmbeddedError, match='invalid value for parameter "max_connections"'):
        EmbeddedPostgres(tmp_path / "pg", settings={"max_connections": "many"}).__enter__()
    with embedded(tmp_path / "pg") as server:
        server.connect().close()


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_needs_no_namespace(tmp_path: Path):
    ordinary = ("unshare", "--user", "--map-user=1", "--map-group=1")
    with owner(tmp_path / "pg", *ordinary) as (process, pid):
        assert namespace(pid) == namespace(process.pid)
