"""TLS to a real PostgreSQL, by name and with a certificate of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings
from django.db import connections

from order_entry_project.config import Database
from order_entry_project.postgresql.tls import tls_options
from order_entry_project.preflight import database as preflight
from order_entry_project.preflight.finding import Level
from order_entry_project.secrets.fixed import Fixed
from orders.credentials import Login
from orders.sql import Sql
from tests.mutual_tls import Authority
from tests.servers.asking import private
from tests.servers.postgres_tls import TlsPostgres, tls_server

PASSWORD = "in-the-clear-canary"
_SESSION = """
SELECT current_user, version, client_dn IS NOT NULL FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl
"""


@pytest.fixture(scope="module")
def running() -> Iterator[TlsPostgres]:
    with private("PostgreSQL with TLS", tls_server()) as started:
        yield started


@pytest.fixture
def server(running):
    """As it was before other tests turned to it."""
    yield running
    with running.admin() as admin:
        admin.execute("ALTER SYSTEM RESET ALL")
    running.present()


@pytest.fixture
def user(server):
    """Who is let in by a certificate with this name."""
    name = f"user-{uuid4().hex[:8]}"
    with server.admin() as admin:
        admin.execute(f'CREATE ROLE "{name}" LOGIN IN ROLE by_certificate')
    return name


@pytest.fixture
def files(server, user):
    """What a client configures, to the key."""
    return {
        "ca_cert": server.authority.ca_cert,
        "client_cert": server.authority.issue("client.pem", user),
    }


@pytest.fixture
def connect(server, user, monkeypatch):
    """`connect(key=value)`: as the hot path does, with such a section `database`."""
    made: list[Sql] = []

    def open_(login=None, **keys):
        section = Database(sql_host="localhost", sql_port=server.port, sql_database="postgres", **keys)
        here = connections["default"].settings_dict
        options = {"connect_timeout": 2, **tls_options(section)}
        named = {"HOST": section.sql_host, "PORT": section.sql_port, "NAME": "postgres", "OPTIONS": options}
        for key, value in named.items():
            monkeypatch.setitem(here, key, value)
        monkeypatch.setattr(settings, "CONFIG", settings.CONFIG.model_copy(update={"database": section}))
        source = Fixed(login or Login(user, ""))
        monkeypatch.setattr(settings, "CREDENTIALS", replace(settings.CREDENTIALS, sql=source))
        made.append(Sql(patience=5))
        return made[-1]

    yield open_
    for sql in made:
        sql.close()


def session(sql):
    return sql.run(f"/* session */ {_SESSION}", {})


def refused(sql):
    with pytest.raises(psycopg.OperationalError) as failure:
        sql.connected()
    return str(failure.value)


def test_a_certificate_lets_us_in_and_the_server_is_known_by_name(connect, user, files):
    assert session(connect(**files)) == [(user, "TLSv1.3", True)]


def test_the_key_may_have_a_file_of_its_own(connect, user, files, server):
    key = server.folder / "client.key"
    key.touch(mode=0o600)
    key.write_bytes(files["client_cert"].read_bytes())
    assert session(connect(**files, client_key=key))[0][0] == user


def test_a_server_of_another_name_is_refused(connect, server, files):
    server.present(host="elsewhere.internal")
    assert 'server certificate for "elsewhere.internal" does not match host name "localhost"' in refused(
        connect(**files)
    )


def test_a_server_of_another_authority_is_refused(connect, files, tmp_path):
    assert "certificate verify failed" in refused(connect(**files | {"ca_cert": Authority(tmp_path).ca_cert}))


def test_a_server_whose_certificate_has_ended_is_refused(connect, server, files):
    server.present(days=-1)
    assert "certificate verify failed" in refused(connect(**files))


def test_a_server_that_speaks_no_later_tls_than_1_1_is_refused(connect, server, files):
    server.reload(
        ssl_min_protocol_version="TLSv1", ssl_max_protocol_version="TLSv1.1", ssl_ciphers="ALL:@SECLEVEL=0"
    )
    assert "version" in refused(connect(**files))


def test_without_a_certificate_we_are_not_let_in(connect, files):
    assert "requires a valid client certificate" in refused(connect(ca_cert=files["ca_cert"]))


def test_with_a_certificate_that_has_ended_we_are_not_let_in(connect, server, files, user):
    ended = server.authority.issue("ended.pem", user, days=-1)
    assert "certificate expired" in refused(connect(**files | {"client_cert": ended}))


def test_with_a_certificate_of_another_name_we_are_somebody_else(connect, server, files):
    other = server.authority.issue("other.pem", "somebody-else")
    assert "certificate authentication failed" in refused(connect(**files | {"client_cert": other}))


def test_a_key_that_others_may_read_is_named(connect, files):
    files["client_cert"].chmod(0o644)
    assert "client.pem" in refused(connect(**files))


def test_renewed_files_serve_the_next_connection_and_sessions_that_stand_stay(connect, server, files, user):
    sql = connect(**files)
    session(sql)
    server.authority.renew()
    server.present()
    assert session(sql)[0][0] == user
    sql.close()
    assert refused(sql)
    server.authority.issue("client.pem", user)
    assert session(sql)[0][0] == user


class TestOfAnUnverifiedServer:
    """sslmode require: what another host gets where no authority is configured."""

    @pytest.fixture
    def asked(self, server):
        """`asked(name)`: the login of a role with a password."""

        def make(name):
            with server.admin() as admin:
                admin.execute(f"DROP ROLE IF EXISTS {name}")
                admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
            return Login(name, PASSWORD)

        return make

    def test_it_is_asked_in_by_scram(self, connect, asked):
        assert session(connect(asked("by_scram"), sslmode="require"))[0][0] == "by_scram"

    def test_it_does_not_get_the_password_by_asking_for_it(self, connect, asked):
        login = asked("in_clear")
        said = refused(connect(login, sslmode="require"))
        assert "server requested a cleartext password" in said
        assert PASSWORD not in said

    def test_the_same_server_verified_may_ask_for_it(self, connect, asked, files):
        ca_cert = files["ca_cert"]
        assert session(connect(asked("in_clear"), ca_cert=ca_cert))[0][0] == "in_clear"

    def test_preflight_warns_of_it(self, connect, asked, django_db_blocker):
        connect(asked("by_scram"), sslmode="require")
        finding = found_by_preflight(django_db_blocker)
        assert finding.level is Level.WARNING
        assert "set database.ca_cert" in finding.advice


def test_preflight_says_that_the_server_is_verified(connect, files, django_db_blocker):
    connect(**files)
    assert "its server verified" in found_by_preflight(django_db_blocker).found


def found_by_preflight(blocker):
    with blocker.unblock():
        return next(finding for finding in preflight.findings(5) if "encrypted" in finding.found)


def test_where_tls_is_turned_off_the_server_does_not_let_us_in(connect):
    assert "no encryption" in refused(connect(sslmode="disable"))


def test_the_systems_authorities_are_believed_where_none_is_configured(connect, files, user, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(files["ca_cert"]))
    assert session(connect(client_cert=files["client_cert"]))[0][0] == user


def test_the_shell_uses_the_same(connect, files):
    connect(**files)
    _, environment = connections["default"].client_class.settings_to_cmd_args_env(
        connections["default"].settings_dict, []
    )
    assert environment["PGSSLMODE"] == "verify-full"
    assert Path(environment["PGSSLCERT"]) == files["client_cert"]
