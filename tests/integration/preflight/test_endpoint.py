"""Servers over TLS that are whom they say, and such that are not."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
import trustme

from order_entry_project.preflight import endpoint
from order_entry_project.preflight.endpoint import Endpoint
from orders.tls import TlsFiles
from tests.certificates import both, ending
from tests.integration.orders.stores.black_hole import black_hole
from tests.integration.preflight.conftest import Found
from tests.ports import free_port

NAME = "localhost"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@contextmanager
def serving(certificate, *, asks_for=None, latest=ssl.TLSVersion.TLSv1_3):
    """A TLS server that accepts connections and says nothing; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if asks_for:
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = latest
        asks_for.configure_trust(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def _accept(listener, context):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()


def look(port, authority, tmp_path, *, name=NAME, client=None):
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    context = endpoint.tls_context(TlsFiles(ca_cert=ca, client_cert=client))
    return Found(list(endpoint.connect(Endpoint("router.endpoint", "127.0.0.1", port, context, name), 2)))


def test_a_server_with_a_good_certificate_is_told_with_its_end(authority, tmp_path):
    with serving(ending(authority, NAME, days=90)) as port:
        found = look(port, authority, tmp_path)
    assert found.fine
    assert "over TLSv1.3, its certificate ends on " in str(found)


def test_a_server_whose_certificate_ends_soon_is_a_warning(authority, tmp_path):
    with serving(ending(authority, NAME, days=20)) as port:
        warning = look(port, authority, tmp_path).warning
    assert "21 days left (service.certificate_warning)" in warning.expected


@pytest.mark.parametrize(
    ("days", "name", "own", "says", "advice"),
    [
        (-1, NAME, True, "certificate has expired", "renewed"),
        (
            90,
            "other.example",
            True,
            "Hostname mismatch",
            "name the server in router.endpoint as its certificate does",
        ),
        (90, "127.0.0.1", True, "IP address mismatch", "name the server in router.endpoint"),
        (
            90,
            NAME,
            False,
            "unable to get local issuer certificate",
            "put the authority that signed the server into",
        ),
    ],
)
def test_a_server_that_is_not_believed_says_why_and_what_to_do(
    authority, tmp_path, days, name, own, says, advice
):
    with serving(ending(authority, NAME, days=days)) as port:
        failure = look(port, authority if own else trustme.CA(), tmp_path, name=name).failure
    assert says in failure.found
    assert advice in failure.advice


def test_a_server_that_does_not_speak_tls_is_told(authority, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1024)

        thread = threading.Thread(target=answer)
        thread.start()
        failure = look(listener.getsockname()[1], authority, tmp_path).failure
        thread.join()
    assert "does not speak TLS as we do" in failure.found


@pytest.mark.parametrize(
    ("latest", "says"),
    [
        (ssl.TLSVersion.TLSv1_2, "does not speak TLS as we do"),  # refused in the handshake itself
        (ssl.TLSVersion.TLSv1_3, "once TLS stands: TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    ],
)
def test_a_server_that_asks_for_our_certificate_gets_it(authority, tmp_path, latest, says):
    client = both(authority.issue_cert("order-entry"), tmp_path / "client.pem")
    with serving(ending(authority, NAME, days=90), asks_for=authority, latest=latest) as port:
        assert says in look(port, authority, tmp_path).failure.found
        assert look(port, authority, tmp_path, client=client).fine


def plain(host, port, patience=1.0):
    return Found(
        list(endpoint.connect(Endpoint("telemetry.otlp_endpoint", host, port, None, host), patience))
    )


def test_a_port_on_which_nobody_listens_is_told():
    assert "Connection refused" in plain("127.0.0.1", free_port()).failure.found


def test_a_name_that_nobody_has_is_told():
    assert "cannot be resolved" in plain("nosuch.invalid", 80).failure.found


def test_a_host_that_swallows_packets_costs_no_more_than_the_patience():
    with black_hole() as port:
        failure = plain("127.0.0.1", port, patience=0.3).failure
    assert "does not answer in time" in failure.found
    assert "firewall" in failure.advice


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("registry:8090", "registry", 8090, False),
        ("http://registry", "registry", 80, False),
        ("https://registry/path", "registry", 443, True),
        ("https://[::1]:8443", "::1", 8443, True),
    ],
)
def test_an_url_says_where_to_connect_and_whether_with_tls(url, host, port, tls):
    found = endpoint.of_url("service_registry.endpoint", url, TlsFiles())
    assert (found.host, found.port, found.tls is not None) == (host, port, tls)


def test_certificates_of_ours_that_cannot_be_used_are_said_in_place_of_connecting(tmp_path):
    section = TlsFiles(ca_cert=tmp_path / "absent.pem")
    found = Found(list(endpoint.look("router.endpoint", "https://127.0.0.1", section, 1)))
    assert "No such file" in found.failure.found


def test_an_address_that_is_none_is_said():
    assert (
        "no host"
        in Found(list(endpoint.look("service_registry.endpoint", "http://", TlsFiles(), 1))).failure.found
    )
