"""What sections with certificates, and those with secrets to be kept from the network, have in common."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field

from orders.tls import CertificateFiles

CaCert = Annotated[
    Path | None, Field(description="CA that signed the server's certificate; null: the system's.")
]
ClientCert = Annotated[Path | None, Field(description="PEM with certificate and key, shown to the server.")]
ClientKey = Annotated[Path | None, Field(description="Key, where client_cert does not hold it.")]


def check_certificates(section: CertificateFiles, *, tls: bool, goes_with: str) -> None:
    """Raises `ValueError` for a key without certificate, and for either where the connection is not TLS."""
    if section.client_key and not section.client_cert:
        raise ValueError("client_key goes with client_cert")
    if not tls and (section.ca_cert or section.client_cert):
        raise ValueError(f"ca_cert, client_cert and client_key go with {goes_with}")


def is_local(host: str) -> bool:
    """Whether what is sent there stays on this machine: loopback, or the folder of a Unix socket."""
    try:
        return host.startswith(("/", "@")) or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
