"""The certificate files that a configuration names.

They are found by the names of keys: what ends in `_cert` is a PEM file with one certificate or several. Its private
key is the file that the same name with `_key` holds, else the same file; authorities (`ca_cert`) have none here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import BaseModel

_SUFFIX = "_cert"


class CertificateUnusable(Exception):
    """A file does not hold what it should; the message names the key, the file and what is wrong."""

    def __init__(self, name: str, path: Path, reason: object) -> None:
        super().__init__(f"{name} {path}: {reason}")


@dataclass(slots=True, frozen=True)
class CertificateFile:
    """`name`: the configuration's key, such as `mq.client_cert`. `private_key`: name and file of its key."""

    name: str
    path: Path
    private_key: tuple[str, Path] | None


@dataclass(slots=True, frozen=True)
class Certificate:
    """`public_key` in DER; the times are aware."""

    subject: str
    not_before: datetime
    not_after: datetime
    public_key: bytes


def named_by(section: BaseModel, prefix: str = "") -> Iterator[CertificateFile]:
    """The files that are named in `section`, and in the sections in it."""
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from named_by(value, f"{prefix}{key}.")
        elif isinstance(value, Path) and key.endswith(_SUFFIX):
            yield CertificateFile(f"{prefix}{key}", value, _private_key(section, key, prefix, value))


def read(file: CertificateFile) -> list[Certificate]:
    """The certificates in it, as they stand there, at least one. Raises `CertificateUnusable`."""
    try:
        data = file.path.read_bytes()
        found = x509.load_pem_x509_certificates(data) if b"-----BEGIN CERTIFICATE-----" in data else []
        if not found:
            raise CertificateUnusable(file.name, file.path, "holds no certificate in PEM form")
        return [_certificate(one) for one in found]
    except OSError as error:
        raise CertificateUnusable(file.name, file.path, error.strerror) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(file.name, file.path, f"cannot be read as PEM: {error}") from None


def check_private_key(file: CertificateFile) -> None:
    """Raises `CertificateUnusable` unless the private key is there and belongs to the first certificate."""
    if file.private_key is None:
        return
    name, path = file.private_key
    own = read(file)[0]
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise CertificateUnusable(name, path, error.strerror) from None
    except TypeError:
        reason = "the private key is encrypted; expected one without a passphrase"
        raise CertificateUnusable(name, path, reason) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateUnusable(name, path, "holds no private key in PEM form that can be read") from None
    if key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != own.public_key:
        raise CertificateUnusable(name, path, f"is not the private key of {own.subject} in {file.path}")


def _private_key(section: BaseModel, key: str, prefix: str, path: Path) -> tuple[str, Path] | None:
    if "ca" in key.split("_"):
        return None
    own = f"{key.removesuffix(_SUFFIX)}_key"
    separate = getattr(section, own, None)
    return (f"{prefix}{own}", separate) if isinstance(separate, Path) else (f"{prefix}{key}", path)


def _certificate(found: x509.Certificate) -> Certificate:
    return Certificate(
        found.subject.rfc4514_string() or "a certificate without a subject",
        found.not_valid_before_utc,
        found.not_valid_after_utc,
        found.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )
