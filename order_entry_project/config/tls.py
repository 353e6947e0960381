"""What sections with certificates, and those with secrets to be kept from the network, have in common."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from orders.tls import CertificateFiles


def _goes_with_certificate(key: Path | None, section: ValidationInfo) -> Path | None:
    # Where the certificate is at fault itself, that is said already.
    if key is not None and section.data.get("client_cert", key) is None:
        raise ValueError("client_key goes with client_cert")
    return key


# A section says more of one by a Field of its own. ClientKey comes after ClientCert: it looks for that.
CaCert = Annotated[
    Path | None, Field(description="CA that signed the server's certificate; null: the system's.")
]
ClientCert = Annotated[Path | None, Field(description="PEM with certificate and key, shown to the server.")]
ClientKey = Annotated[
    Path | None,
    AfterValidator(_goes_with_certificate),
    Field(description="Key, where client_cert does not hold it."),
]


def refuse_certificates(section: CertificateFiles, *, unless: str) -> None:
    """Raises `ValueError` where there are any: the connection is not TLS, or verifies nobody."""
    if section.ca_cert or section.client_cert:
        raise ValueError(f"ca_cert, client_cert and client_key go with {unless}")


def is_local(host: str) -> bool:
    """Whether what is sent there stays on this machine: loopback, or the folder of a Unix socket."""
    try:
        return host.startswith(("/", "@")) or host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
