"""The certificate files of one neighbour, for the libraries that connect to it.

Note on renewal: a library is given paths, never contents, and reads them at each new connection: what is put in their
place serves the next one, and connections that stand stay as they are. Certificate and key are to be exchanged
together: in one file, or as Kubernetes does with a link to a folder. Whatever connects between the two fails, and is
tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from ssl import get_default_verify_paths
from typing import Protocol, Self


class CertificateFiles(Protocol):
    """The keys of a section that name them."""

    @property
    def ca_cert(self) -> Path | None: ...
    @property
    def client_cert(self) -> Path | None: ...
    @property
    def client_key(self) -> Path | None: ...


@dataclass(slots=True, frozen=True)
class TlsFiles:
    """PEM files: authorities that may have signed the server, our certificate with its chain, its key.

    `client_key` None: `client_cert` holds it. `ca_cert` None: the system's authorities.
    """

    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None

    @classmethod
    def of(cls, section: CertificateFiles) -> Self:
        """Those that a section of the configuration names."""
        return cls(section.ca_cert, section.client_cert, section.client_key)

    @property
    def authorities(self) -> str | None:
        """The file to believe; None where this machine has none."""
        return str(self.ca_cert) if self.ca_cert else get_default_verify_paths().cafile

    @property
    def certificate(self) -> tuple[str, str] | None:
        """The files of certificate and key."""
        if self.client_cert is None:
            return None
        return str(self.client_cert), str(self.client_key or self.client_cert)

    @property
    def named(self) -> list[Path]:
        """Those of our own."""
        return [file for file in (self.ca_cert, self.client_cert, self.client_key) if file]
