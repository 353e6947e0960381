"""An authority with what it issues, in files: the way a service and its neighbours come to know each other."""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

import trustme

from tests.certificates import ending


class Authority:
    """`ca_cert` is its certificate; whoever shows one that it has issued is let in by its `server` contexts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca_cert = folder / "ca.pem"
        self.renew()

    def renew(self) -> None:
        """Another authority takes its place; what the old one issued is worth nothing from now on."""
        self._authority = trustme.CA()
        _put(self.ca_cert, self._authority.cert_pem.bytes())

    def issue(self, file: str, name: str = "order-entry", *, days: float = 90, host: str = "client") -> Path:
        """A PEM with key and certificate for the user `name`, or for `host`; it ends in so many days."""
        issued = ending(self._authority, host, days=days, user=name)
        return _put(self._folder / file, issued.private_key_and_cert_chain_pem.bytes())

    def server(self, host: str = "localhost", *, days: float = 90, asks: bool = True) -> ssl.SSLContext:
        """`asks`: it demands a certificate of the client."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ending(self._authority, host, days=days).configure_cert(context)
        if asks:
            self._authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def outdated(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same, speaking nothing later than TLS 1.1."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _put(path: Path, content: bytes) -> Path:
    """In one step, as whoever renews certificates should; for no eyes but the owner's, as libpq demands."""
    written = path.with_name(f".{path.name}")
    written.touch(mode=0o600)
    written.write_bytes(content)
    return written.replace(path)
