"""What a browser may do with the pages it gets from here (Content-Security-Policy, Permissions-Policy).

No page runs a script that stands in it, or one of another server: text of an order that got onto a page unescaped
would be shown, and not run. Two exceptions, each to the pages that need it:

- The console's interface (Alpine) makes functions out of the attributes in its templates: 'unsafe-eval'.
- It, and the documentation, set styles in attributes and elements: 'unsafe-inline', of styles alone.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

_NOBODY = "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
_LOOKS = "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'"
_DATA = f"default-src 'none'; form-action 'none'; {_NOBODY}"
_DOCUMENTATION = f"default-src 'none'; script-src 'self'; {_LOOKS}; form-action 'none'; {_NOBODY}"
_CONSOLE = f"default-src 'none'; script-src 'self' 'unsafe-eval'; {_LOOKS}; form-action 'self'; {_NOBODY}"

_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "camera",
        "display-capture",
        "geolocation",
        "microphone",
        "payment",
        "publickey-credentials-get",
        "serial",
        "usb",
    )
)


class BrowserPolicy:
    """Middleware, before all that may answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        response["Content-Security-Policy"] = _policy(request.path)
        response["Permissions-Policy"] = _PERMISSIONS
        return response


def _policy(path: str) -> str:
    if path.startswith("/admin/"):
        return _CONSOLE
    return _DOCUMENTATION if path == "/docs" else _DATA
