"""Who is calling: by a token, by name and password, or by a certificate that a trusted proxy has verified."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from orders import logins
from orders.api import proxies, throttles, tokens
from orders.scopes import Caller

_REALM = 'realm="order-entry"'


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer oe_…` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        scheme, _, token = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        _require_confidential(request)
        try:
            return tokens.caller(token.strip()), None
        except tokens.Refused as refusal:
            throttles.count_refusal(request)
            raise AuthenticationFailed(str(refusal)) from None

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401, which is that of the first class: both schemes will do."""
        given = get_authorization_header(request).lower().startswith(b"bearer ")
        error = ', error="invalid_token"' if given else ""
        return f"Bearer {_REALM}{error}, Basic {_REALM}"


class PasswordAuthentication(BasicAuthentication):
    """A console user's name and password (RFC 7617)."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        if get_authorization_header(request).lower().startswith(b"basic "):
            _require_confidential(request)
        return super().authenticate(request)

    def authenticate_credentials(
        self, userid: str, password: str, request: Request | None = None
    ) -> tuple[Any, None]:
        try:
            return super().authenticate_credentials(userid, password, request)
        except AuthenticationFailed:
            if request is not None and (wait := logins.wait(request, userid)):
                raise Throttled(wait, "Too many failed log-ins.") from None
            raise


class CertificateAuthentication(BaseAuthentication):
    """The subject of a client certificate, in the header of a trusted proxy."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        subject = proxies.client_certificate(request)
        if subject is None:
            return None
        scopes = settings.CONFIG.api.client_certificates.get(subject)
        if scopes is None:
            throttles.count_refusal(request)
            raise AuthenticationFailed(
                "The certificate is good, but api.client_certificates does not name it."
            )
        return Caller(subject, frozenset(scopes)), None


def _require_confidential(request: Request) -> None:
    if not proxies.is_confidential(request):
        raise PermissionDenied(
            "Passwords and tokens are taken over https alone. This one has travelled unencrypted: replace it."
        )
