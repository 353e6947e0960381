"""TLS of libcurl's handles.

Note on renewal: libcurl reads our certificate at each new connection, but keeps authorities for a day, and TLS
sessions, with which it is let in as who it was. Both are turned off where files are configured; the system's many
authorities would take milliseconds to read each time.

Note on refusals: in TLS 1.3 the client has done its part, and has sent its request, before the server looks at the
certificate. Its alert says that the handshake failed, hence that nobody has read the request.
"""

from __future__ import annotations

import re

import pycurl

from orders.tls import TlsFiles

_CA_CACHE_TIMEOUT = 321  # CURLOPT_CA_CACHE_TIMEOUT, for which pycurl has no name (7.49)
_REFUSAL = re.compile(
    r"\balert (certificate|bad certificate|unsupported certificate|unknown ca|access denied)"
)


def secure(handle: pycurl.Curl, tls: TlsFiles) -> None:
    """TLS 1.2 or later, the server verified by name."""
    handle.setopt(pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2)
    if tls.authorities:  # the wheel brings none of its own
        handle.setopt(pycurl.CAINFO, tls.authorities)
    if tls.certificate:
        certificate, key = tls.certificate
        handle.setopt(pycurl.SSLCERT, certificate)
        handle.setopt(pycurl.SSLKEY, key)
    if tls.named:
        handle.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if tls.ca_cert:
        handle.setopt(_CA_CACHE_TIMEOUT, 0)


def is_refusal(message: str) -> bool:
    """Whether libcurl's `message` tells that the server did not let our certificate in."""
    return _REFUSAL.search(message) is not None
