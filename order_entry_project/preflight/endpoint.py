"""Whether something listens at an address and, over TLS, whether it is whom we expect and for how long."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings

from order_entry_project.preflight.finding import Finding, days, failed, first_line, ok, warning
from orders.tls import CertificateFiles, TlsFiles

_WRONG_NAME = 62  # X509_V_ERR_HOSTNAME_MISMATCH
_WRONG_ADDRESS = 64  # X509_V_ERR_IP_ADDRESS_MISMATCH
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_VERDICT = 0.3  # seconds that a server has to refuse our certificate
_PORTS = {"http": 80, "https": 443, "redis": 6379, "rediss": 6379}


@dataclass(slots=True, frozen=True)
class Endpoint:
    """`key`: where in the configuration it is named. `tls`: None where it speaks plainly; `tls_name`: the name its
    certificate must bear.
    """

    key: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    tls_name: str

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def look(key: str, url: str, section: CertificateFiles, patience: float) -> Iterator[Finding]:
    """Connects to an URL, with the certificates that `section` names."""
    try:
        here = of_url(key, url, section)
    except (OSError, ValueError) as error:
        yield unusable(key, error)
    else:
        yield from connect(here, patience)


def unusable(key: str, error: Exception) -> Finding:
    return failed(
        key,
        f"cannot be connected to: {first_line(error)}",
        expected="host:port or an URL, and certificates that TLS can use",
        advice="correct it, and see what the check of certificates says of its section",
    )


def of_url(key: str, url: str, section: CertificateFiles) -> Endpoint:
    """Raises `ValueError` for an URL without host, `OSError` for certificates that cannot be used."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if not parts.hostname:
        raise ValueError(f"no host in {url!r}")
    tls = tls_context(section) if parts.scheme in ("https", "rediss") else None
    return Endpoint(key, parts.hostname, parts.port or _PORTS.get(parts.scheme, 80), tls, parts.hostname)


def tls_context(section: CertificateFiles) -> ssl.SSLContext:
    """TLS 1.2 or later with the files that the section names. Raises `OSError`."""
    context = ssl.create_default_context(cafile=section.ca_cert)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate := TlsFiles.of(section).certificate:
        context.load_cert_chain(*certificate, password="")  # nosec: B106 - nobody is there to type one
    return context


def connect(endpoint: Endpoint, patience: float) -> Iterator[Finding]:
    """Connects, shakes hands over TLS, sends nothing else."""
    try:
        with socket.create_connection((endpoint.host, endpoint.port), patience) as plain:
            plain.settimeout(patience)
            if endpoint.tls is None:
                yield ok(endpoint.key, f"{endpoint.address} answers")
                return
            with endpoint.tls.wrap_socket(plain, server_hostname=endpoint.tls_name) as secure:
                certified = _certified(endpoint, secure)
                alert = _alert(secure, min(_VERDICT, patience))
                yield _not_let_in(endpoint, alert) if alert else certified
    except ssl.SSLCertVerificationError as error:
        yield _not_believed(endpoint, error)
    except OSError as error:
        yield _unreachable(endpoint, error)


def _alert(secure: ssl.SSLSocket, patience: float) -> str | None:
    """In TLS 1.3 a server looks at our certificate when the handshake is over for us: what it says against that."""
    secure.settimeout(patience)
    try:
        secure.recv(1)
    except ssl.SSLError as error:
        return error.reason if error.reason and "ALERT" in error.reason else None
    except OSError:
        # It has nothing to say to who says nothing.
        return None
    return None


def _not_let_in(endpoint: Endpoint, alert: str) -> Finding:
    section = endpoint.key.partition(".")[0]
    return failed(
        endpoint.key,
        f"{endpoint.address} ends the connection once TLS stands: {alert}",
        expected=f"a server that believes {section}.client_cert",
        advice=f"compare {section}.client_cert with the authorities the server trusts, see its log",
    )


def _certified(endpoint: Endpoint, secure: ssl.SSLSocket) -> Finding:
    certificate = secure.getpeercert() or {}
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    said = f"{endpoint.address} answers over {secure.version()}, its certificate ends on {end:%Y-%m-%d}"
    if end - datetime.now(UTC) > timedelta(seconds=settings.CONFIG.service.certificate_warning):
        return ok(endpoint.key, said)
    return warning(
        endpoint.key,
        said,
        expected=f"more than {days(settings.CONFIG.service.certificate_warning)} left (service.certificate_warning)",
        advice=f"have the certificate of {endpoint.host} renewed before that day",
    )


def _not_believed(endpoint: Endpoint, error: ssl.SSLCertVerificationError) -> Finding:
    section = endpoint.key.partition(".")[0]
    if error.verify_code in (_WRONG_NAME, _WRONG_ADDRESS):
        expected = f"a certificate with the name {endpoint.tls_name}"
        advice = f"name the server in {endpoint.key} as its certificate does, or have that name added to it"
    elif error.verify_code == _EXPIRED:
        expected, advice = "a certificate in force", f"have the certificate of {endpoint.host} renewed"
    else:
        expected = (
            f"a certificate signed by an authority in {section}.ca_cert, or the system's where that is null"
        )
        advice = f"put the authority that signed the server into {section}.ca_cert, its intermediates at the server"
    return failed(
        endpoint.key,
        f"{endpoint.address} answers, but its certificate is refused: {error.verify_message}",
        expected=expected,
        advice=advice,
    )


def _unreachable(endpoint: Endpoint, error: OSError) -> Finding:
    if isinstance(error, socket.gaierror):
        reason, advice = f"cannot be resolved: {error.strerror}", "correct the name, or DNS"
    elif isinstance(error, TimeoutError):
        reason, advice = "does not answer in time", "see whether it runs, and what firewall stands between"
    elif isinstance(error, ssl.SSLError):
        reason = f"does not speak TLS as we do: {error.reason or first_line(error)}"
        advice = "see whether this is its TLS port, and which certificates it asks for"
    else:
        reason, advice = f"cannot be reached: {first_line(error)}", "start it, or correct host and port"
    expected = "a server that answers" + (" over TLS" if endpoint.tls else "")
    return failed(endpoint.key, f"{endpoint.address} {reason}", expected=expected, advice=advice)
