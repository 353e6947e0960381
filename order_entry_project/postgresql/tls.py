"""TLS to PostgreSQL, in libpq's words. libpq reads the files at each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orders.tls import TlsFiles

if TYPE_CHECKING:
    from order_entry_project.config import Database


def tls_options(database: Database) -> dict[str, str]:
    """Added to the connection's own: what the configuration says."""
    mode = database.tls_mode
    if mode == "disable":
        return {"sslmode": mode}
    options = {"sslmode": mode, "ssl_min_protocol_version": "TLSv1.2"}
    if mode == "prefer":
        return options
    # Else encryption by Kerberos, where there is a ticket, would go before TLS.
    options["gssencmode"] = "disable"
    files = TlsFiles.of(database)
    if mode == "verify-full":
        options["sslrootcert"] = files.authorities or "system"
    else:
        # Whoever answers may ask for the password: only as a proof that neither reveals it nor can be passed on.
        options["require_auth"] = "!password,!md5"
    if files.certificate:
        options["sslcert"], options["sslkey"] = files.certificate
    return options
