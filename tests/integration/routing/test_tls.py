"""Registry and router over mutual TLS, with an authority of our own."""

from __future__ import annotations

import re
import socket
import ssl
import time
from dataclasses import dataclass, field

import pytest

from orders.tls import TlsFiles
from routing.models import Outcome
from routing.registry import RegistryUnavailable
from routing.router import RouterClient
from tests.integration.routing.registries import registry_at
from tests.integration.routing.turning import turn_until
from tests.mutual_tls import Authority, outdated
from tests.scripted_server import Line, ScriptedServer, always, over_tls

PATIENCE = 10
ROUTED = b'{"route": "NASDAQ-EXECUTION-1"}'
ENTRY = b'{"name": "order-router", "endpoint": "https://router:8082"}'


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def files(authority):
    return TlsFiles(authority.ca_cert, authority.issue("client.pem"))


@dataclass
class Neighbour:
    """Answers each request alike over TLS; `shown`: the common name in the certificate of each connection.

    `tls`: what new connections are greeted with. `keeps`: connections stay after an answer.
    """

    answer: bytes
    tls: ssl.SSLContext
    keeps: bool = True
    shown: list[str] = field(default_factory=list)
    asked: int = 0
    server: ScriptedServer = field(init=False)

    def script(self, line: Line) -> None:
        over_tls(self.tls, self._talk)(line)

    def _talk(self, line: Line) -> None:
        subject = (line.socket.getpeercert() or {}).get("subject", ())
        self.shown += [value for part in subject for name, value in part if name == "commonName"]
        if self.keeps:
            always(self.answer)(line)
        line.read()
        line.answer(self.answer, headers="Connection: close\r\n")

    def url(self, host: str) -> str:
        return self.server.url.replace("http://127.0.0.1", f"https://{host}")


@pytest.fixture
def start(serve, authority):
    """`start(answer, keeps=…)` → a running neighbour."""

    def begin(answer, **options):
        made = Neighbour(answer, authority.server(), **options)
        made.server = serve(made.script)
        return made

    return begin


@pytest.fixture
def call(reactor):
    """`call(neighbour, files, host=…)` → what became of one call of the router, by one client per set of files."""
    clients = {}

    def post(neighbour, tls, host="localhost"):
        if tls not in clients:
            clients[tls] = RouterClient(reactor, timeout=5, in_flight=1, tls=tls)
        answers = []
        clients[tls].post(
            neighbour.url(host), b"{}", idempotency_key="A", traceparent=None, on_answer=answers.append
        )
        turn_until(reactor, lambda: answers)
        return answers[0]

    yield post
    for client in clients.values():
        client.close()


@pytest.fixture
def router(start):
    return start(ROUTED)


@pytest.fixture
def registry(start):
    return start(ENTRY)


@pytest.fixture
def look_up():
    """`look_up(neighbour, files, host=…)`: once, without trying again."""
    made = []

    def ask(neighbour, tls, host="localhost"):
        made.append(registry_at(neighbour.url(host), timeout=5, tls=tls))
        return made[-1].lookup_once("order-router")

    yield ask
    for one in made:
        one.close()


def test_the_router_knows_us_by_our_certificate_and_the_connection_is_kept(router, call, files):
    for _ in range(3):
        assert call(router, files).outcome is Outcome.ACCEPTED
    assert router.shown == ["order-entry"]


def test_the_registry_knows_us_by_our_certificate(registry, look_up, files):
    assert look_up(registry, files).endpoint == "https://router:8082"
    assert registry.shown == ["order-entry"]


def test_certificate_and_key_may_be_separate_files(router, registry, call, look_up, authority, tmp_path):
    pem = authority.issue("both.pem").read_text()
    end = "-----END RSA PRIVATE KEY-----\n" if "RSA PRIVATE" in pem else "-----END EC PRIVATE KEY-----\n"
    key, _, certificate = pem.partition(end)
    (tmp_path / "key.pem").write_text(key + end)
    (tmp_path / "certificate.pem").write_text(certificate)
    files = TlsFiles(authority.ca_cert, tmp_path / "certificate.pem", tmp_path / "key.pem")
    assert call(router, files).outcome is Outcome.ACCEPTED
    assert look_up(registry, files).name == "order-router"


def test_the_systems_authorities_are_believed_where_none_is_configured(
    router, registry, call, look_up, authority, files, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_cert))
    ours = TlsFiles(client_cert=files.client_cert)
    assert call(router, ours).outcome is Outcome.ACCEPTED
    assert look_up(registry, ours).name == "order-router"


def wrong_name(neighbour, files, authority, tmp_path):
    return files, "127.0.0.1"


def wrong_authority(neighbour, files, authority, tmp_path):
    (tmp_path / "other").mkdir()
    return TlsFiles(Authority(tmp_path / "other").ca_cert, files.client_cert), "localhost"


def expired_server(neighbour, files, authority, tmp_path):
    neighbour.tls = authority.server(days=-1)
    return files, "localhost"


def old_tls(neighbour, files, authority, tmp_path):
    neighbour.tls = outdated(authority.server())
    assert speaks_old_tls(neighbour, files)
    return files, "localhost"


def speaks_old_tls(neighbour, files):
    """Else it would be refused for something else."""
    client = outdated(ssl.create_default_context(cafile=files.ca_cert))
    client.load_cert_chain(files.client_cert)
    port = int(neighbour.server.url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as line,
        client.wrap_socket(line, server_hostname="localhost") as secure,
    ):
        return secure.version() == "TLSv1.1"


def no_certificate(neighbour, files, authority, tmp_path):
    return TlsFiles(files.ca_cert), "localhost"


def expired_client(neighbour, files, authority, tmp_path):
    return TlsFiles(files.ca_cert, authority.issue("expired.pem", days=-1)), "localhost"


def missing_file(neighbour, files, authority, tmp_path):
    return TlsFiles(files.ca_cert, tmp_path / "absent.pem"), "localhost"


STRANGERS = pytest.mark.parametrize(
    ("case", "says"),
    [
        (wrong_name, "127.0.0.1|IP address mismatch"),
        (wrong_authority, "(?i)certificate"),
        (expired_server, "expired"),
        (old_tls, "(?i)version|protocol"),
        (no_certificate, "(?i)certificate.required"),
        (expired_client, "(?i)certificate.expired"),
        (missing_file, "absent.pem"),
    ],
)


@STRANGERS
def test_a_router_that_one_side_does_not_believe_gets_no_order_and_is_tried_again(
    router, call, files, authority, tmp_path, case, says
):
    tls, host = case(router, files, authority, tmp_path)
    answer = call(router, tls, host)
    assert answer.outcome is Outcome.UNREACHABLE, answer.error
    assert re.search(says, answer.error), answer.error
    assert router.server.requests == []


@STRANGERS
def test_a_registry_that_one_side_does_not_believe_is_unavailable(
    registry, look_up, files, authority, tmp_path, case, says
):
    tls, host = case(registry, files, authority, tmp_path)
    with pytest.raises(RegistryUnavailable, match=says):
        look_up(registry, tls, host)
    assert registry.server.requests == []


def test_a_renewed_certificate_is_shown_at_the_next_connection_without_a_restart(
    start, call, look_up, files, authority
):
    router, registry = start(ROUTED, keeps=False), start(ENTRY, keeps=False)
    asking = registry_at(registry.url("localhost"), timeout=5, tls=files)
    for name in ("first", "second"):
        authority.issue("client.pem", name)
        assert call(router, files).outcome is Outcome.ACCEPTED
        assert asking.lookup("order-router").name == "order-router"
    asking.close()
    assert router.shown == registry.shown == ["first", "second"]


def test_a_new_authority_is_believed_and_the_old_one_no_longer(start, call, files, authority):
    router, old = start(ROUTED, keeps=False), None
    assert call(router, files).outcome is Outcome.ACCEPTED
    old = router.tls
    authority.renew()
    authority.issue("client.pem")
    assert call(router, files).outcome is Outcome.UNREACHABLE
    router.tls = authority.server()
    assert call(router, files).outcome is Outcome.ACCEPTED
    router.tls = old
    assert call(router, files).outcome is Outcome.UNREACHABLE


def test_connections_that_stand_outlive_their_certificate(router, call, files):
    assert call(router, files).outcome is Outcome.ACCEPTED
    files.client_cert.write_text("being written")
    files.ca_cert.write_text("being written")
    assert call(router, files).outcome is Outcome.ACCEPTED
    assert len(router.shown) == 1


def test_with_certificates_a_router_at_plain_http_is_not_believed(serve):
    server = serve(always(b'{"name": "order-router", "endpoint": "http://router:8082"}'))
    registry = registry_at(server.url, timeout=5, https_only=True)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable, match="expected an https:// endpoint"):
        registry.lookup("order-router")
    assert time.monotonic() - began < PATIENCE
    registry.close()
