"""A system all of whose neighbours demand certificates: RabbitMQ, PostgreSQL, registry and router."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.acceptance.system import System, system
from tests.mutual_tls import Authority
from tests.ports import free_port
from tests.servers.asking import private
from tests.servers.postgres_tls import TlsPostgres, tls_server
from tests.servers.rabbitmq import BY_CERTIFICATE, MUTUAL_TLS, Broker, broker
from tests.tcp_proxy import TcpProxy

USER = "order-entry"
_DATABASE = "trading_orders"


@dataclass(frozen=True)
class TlsDatabase:
    """The order book in `server`, owned by whoever shows the certificate of `USER`."""

    server: TlsPostgres

    @property
    def env(self) -> dict[str, str]:
        return {
            "ORDER_ENTRY__DATABASE__SQL_HOST": "localhost",
            "ORDER_ENTRY__DATABASE__SQL_PORT": str(self.server.port),
            "ORDER_ENTRY__DATABASE__SQL_USER": USER,
            "ORDER_ENTRY__DATABASE__SQL_DATABASE": _DATABASE,
        }

    def connect(self) -> psycopg.Connection[Any]:
        return self.server.admin(_DATABASE)


@dataclass
class Secured:
    """`authority` is everyone's: of those who are believed, and who believe."""

    system: System
    authority: Authority
    server: TlsPostgres
    broker: Broker
    proxies: list[TcpProxy]

    def renew_servers(self) -> None:
        """Another authority: its certificate is there to be believed, and the neighbours show what it issued."""
        self.authority.renew()
        self.server.present()
        # Erlang would keep what it has read for two minutes.
        self.broker.ctl("eval", "ssl:clear_pem_cache().")
        for proxy in self.proxies:
            proxy.refuse()
            proxy.tls = self.authority.server()
            proxy.accept()

    def renew_client(self) -> None:
        self.authority.issue("client.pem", USER)

    def cut(self) -> None:
        """End the connections that stand, at every neighbour."""
        self.broker.ctl("close_all_user_connections", USER, "renewal")
        with self.server.admin() as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [USER])
        for proxy in self.proxies:
            proxy.cut()

    def issuers(self) -> dict[str, set[str]]:
        """Who has issued what the service shows in the connections that stand, as PostgreSQL and RabbitMQ say it."""
        with self.server.admin() as admin:
            named = "SELECT issuer_dn FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = %s"
            in_sql = {str(issuer) for (issuer,) in admin.execute(named, [USER])}
        listed = self.broker.ctl("list_connections", "user", "peer_cert_issuer").splitlines()
        at_broker = {issuer for user, _, issuer in (line.partition("\t") for line in listed) if user == USER}
        return {"sql": in_sql, "mq": at_broker}


@contextmanager
def secured(folder: Path, **settings: str) -> Iterator[Secured]:
    with ExitStack() as stack:
        server = stack.enter_context(private("PostgreSQL with TLS", tls_server()))
        authority, port = server.authority, free_port()
        config = MUTUAL_TLS.format(port=port, folder=server.folder)
        starting = broker(folder, more_config=config, plugins=BY_CERTIFICATE)
        own = Broker(**stack.enter_context(private("RabbitMQ", starting)))
        own.add_user(USER)
        ca, client = str(authority.ca_cert), str(authority.issue("client.pem", USER))
        shown = {
            f"{section}__{key}": value
            for section in ("MQ", "DATABASE", "SERVICE_REGISTRY", "ROUTER")
            for key, value in (("CA_CERT", ca), ("CLIENT_CERT", client))
        }
        plain = stack.enter_context(system(TlsDatabase(server), folder, broker=own.url))
        proxies = [
            stack.enter_context(TcpProxy(neighbour.port, tls=authority.server()))
            for neighbour in (plain.router, plain.registry)
        ]
        router, registry = (f"https://localhost:{proxy.port}" for proxy in proxies)
        plain.registry.put("/services/order-router", {"endpoint": router}).raise_for_status()
        named = {"MQ__BROKER_URL": f"amqps://localhost:{port}", "SERVICE_REGISTRY__ENDPOINT": registry}
        made = stack.enter_context(plain.configured(**shown, **named, **settings))
        yield _with_book(Secured(made, authority, server, own, proxies))


def _with_book(made: Secured) -> Secured:
    with made.server.admin() as admin:
        admin.execute(f'CREATE ROLE "{USER}" LOGIN IN ROLE by_certificate')
        admin.execute(f'CREATE DATABASE {_DATABASE} OWNER "{USER}"')
    made.system.manage("migrate", "--verbosity=0")
    return made
