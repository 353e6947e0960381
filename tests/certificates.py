"""Certificates for tests that no authority of trustme would issue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


def ending(authority: trustme.CA, name: str, *, days: float, user: str | None = None) -> trustme.LeafCert:
    """A certificate for `name` that ends in so many days, or ended so many ago; valid from a year before that.

    `user`: its common name.
    """
    end = datetime.now(UTC) + timedelta(days=days)
    return authority.issue_cert(name, common_name=user, not_before=end - timedelta(days=365), not_after=end)


def both(certificate: trustme.LeafCert, path: Path) -> Path:
    """`path`, holding certificate and key."""
    certificate.private_key_and_cert_chain_pem.write_to_path(path)
    return path
