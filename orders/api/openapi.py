"""What the OpenAPI document says of the bodies that no serializer writes."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse

_TIME = {"type": "string", "format": "date-time", "example": "2026-02-14T10:30:45Z"}
_FIELDS: dict[str, Any] = {
    "orderId": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$", "example": "ORD-20260214-001"},
    "symbol": {"type": "string", "minLength": 1, "maxLength": 32, "example": "AAPL"},
    "side": {"type": "string", "enum": ["BUY", "SELL"]},
    "quantity": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "example": 100},
    "price": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "example": 145.50},
}
_STATUS: dict[str, Any] = {
    "orderId": _FIELDS["orderId"],
    "status": {"type": "string", "enum": ["PLACED", "PENDING_ROUTE", "ROUTED", "EXECUTED", "CANCELED"]},
    "symbol": _FIELDS["symbol"],
    "side": _FIELDS["side"],
    "quantity": _FIELDS["quantity"],
    "price": _FIELDS["price"],
    "route": {"type": "string", "nullable": True, "example": "NASDAQ-EXECUTION-1"},
    "created_at": _TIME,
    "routed_at": _TIME | {"nullable": True},
}
_PROBLEM: dict[str, Any] = {
    "type": {"type": "string"},
    "title": {"type": "string"},
    "status": {"type": "integer"},
    "detail": {"type": "string"},
}

NEW_ORDER = {
    "application/json": {
        "type": "object",
        "required": list(_FIELDS),
        "properties": _FIELDS | {"counterparty": {"type": "string", "maxLength": 64}, "created_at": _TIME},
        "additionalProperties": True,
        "example": {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00},
    }
}


def order_status(description: str) -> OpenApiResponse:
    return OpenApiResponse(
        {"type": "object", "required": list(_STATUS), "properties": _STATUS}, description=description
    )


def problem(description: str) -> OpenApiResponse:
    return OpenApiResponse(
        {"type": "object", "required": list(_PROBLEM), "properties": _PROBLEM}, description=description
    )


REFUSALS = {
    401: problem("Nobody known, or the credentials are refused"),
    403: problem("Known, but the scope is missing: `scope` names it"),
    429: problem("Too many requests; `Retry-After` says when"),
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "orders.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        del auto_schema
        return {"type": "http", "scheme": "bearer", "description": "A token made in the console: oe_…"}


class PasswordScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "orders.api.authentication.PasswordAuthentication"
    name = "password"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        del auto_schema
        return {"type": "http", "scheme": "basic", "description": "A console user's name and password"}


class CertificateScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "orders.api.authentication.CertificateAuthentication"
    name = "certificate"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """OpenAPI 3.0 has no word for mutual TLS."""
        del auto_schema
        return {
            "type": "apiKey",
            "in": "header",
            "name": settings.CONFIG.api.client_certificate_header or "X-SSL-Client-S-DN",
            "description": "Mutual TLS: set by the proxy that verifies the client's certificate, never by the client",
        }
