"""What the OpenAPI document says of the bodies that no serializer writes."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.utils import OpenApiResponse

from orders import names
from orders.api.problems import MEDIA_TYPE
from orders.lifecycle import Status

JSON = "application/json"

_TIME = {"type": "string", "format": "date-time", "example": "2026-02-14T10:30:45Z"}
_TEXT = {"type": "string"}
_AMOUNT: dict[str, Any] = {
    "type": "number",
    "minimum": 1e-8,
    "maximum": 999_999_999_999,
    "description": "at most eight decimals",
}


def _name(longest: int) -> dict[str, Any]:
    """`format: name` is ours: printable characters, no white space around them."""
    return _TEXT | {"format": "name", "minLength": 1, "maxLength": longest}


_FIELDS: dict[str, Any] = {
    "orderId": {"type": "string", "pattern": f"^{names.ORDER_ID}$", "example": "ORD-20260214-001"},
    "symbol": _name(names.LONGEST_SYMBOL) | {"example": "AAPL"},
    "side": {"type": "string", "enum": ["BUY", "SELL"]},
    "quantity": _AMOUNT | {"example": 100},
    "price": _AMOUNT | {"example": 145.50},
}
_STATUS: dict[str, Any] = {
    "orderId": _FIELDS["orderId"],
    "status": {"type": "string", "enum": Status.values},
    "symbol": _FIELDS["symbol"],
    "side": _FIELDS["side"],
    "quantity": _FIELDS["quantity"],
    "price": _FIELDS["price"],
    "route": {"type": "string", "nullable": True, "example": "NASDAQ-EXECUTION-1"},
    "created_at": _TIME,
    "routed_at": _TIME | {"nullable": True},
}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_FAULT = {"type": "object", "required": ["field", "detail"], "properties": {"field": _TEXT, "detail": _TEXT}}
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _FAULT, "description": "each fault of a body or query"},
        "scope": _TEXT | {"description": "that is missing"},
        "claimed_until": _TIME | {"description": "the machine routes the order until then at the latest"},
    },
    "additionalProperties": True,
}

NEW_ORDER = {
    "application/json": {
        "type": "object",
        "required": list(_FIELDS),
        "properties": {
            **_FIELDS,
            "counterparty": _name(names.LONGEST_COUNTERPARTY) | {"nullable": True},
            "created_at": _TIME | {"nullable": True},
        },
        "additionalProperties": True,
        "example": {"orderId": "TEST-001", "symbol": "MSFT", "side": "SELL", "quantity": 50, "price": 420.00},
    }
}


def order_status(description: str) -> OpenApiResponse:
    return OpenApiResponse(
        {"type": "object", "required": list(_STATUS), "properties": _STATUS}, description=description
    )


def problem(description: str) -> OpenApiResponse:
    return OpenApiResponse(_PROBLEM, description=description)


REFUSALS = {
    401: problem("Nobody known, or the credentials are refused"),
    403: problem("Known, but the scope is missing: `scope` names it"),
    429: problem("Too many requests; `Retry-After` says when"),
}
LIST_REFUSALS = {
    400: problem("No such filter or value"),
    404: problem("No such page"),
    **REFUSALS,
}
_ANYWHERE = {
    "400": "Not what was expected",
    "406": "There is no other form of this answer than JSON",
    "503": "The order book does not answer just now; `Retry-After` says when to try again",
}
_OF_BODIES = {
    "408": "The body did not arrive",
    "411": "A body in chunks, without its length",
    "413": "Larger than any such request may be",
    "415": "Not application/json in UTF-8",
}


def complete(result: Any, **_: Any) -> Any:
    """What the generator of the document does not know: answers of the frame, and that errors are problem documents."""
    for path in result["paths"].values():
        for operation in path.values():
            body = operation.get("requestBody")
            if body and "required" in body["content"][JSON]["schema"]:
                body["required"] = True
            _complete(operation["responses"], has_body=body is not None)
            if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", [])):
                _add_repeats(operation["responses"])
    result["components"]["schemas"]["Problem"] = _PROBLEM_SCHEMA
    return result


def _complete(responses: dict[str, Any], *, has_body: bool) -> None:
    of_the_api = any(_is_problem(response) for response in responses.values())
    for status, description in {
        **(_ANYWHERE if of_the_api else {}),
        **(_OF_BODIES if has_body else {}),
    }.items():
        responses.setdefault(status, {"content": {JSON: {"schema": _PROBLEM}}, "description": description})
    for response in responses.values():
        if _is_problem(response):
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}


def _add_repeats(responses: dict[str, Any]) -> None:
    """What only requests with a key are told."""
    used = "The Idempotency-Key was used for another request"
    responses["422"] = {"content": {MEDIA_TYPE: {"schema": _PROBLEM}}, "description": used}
    busy = "A request under this Idempotency-Key is being worked on"
    conflict = responses.setdefault("409", {"content": {MEDIA_TYPE: {"schema": _PROBLEM}}, "description": ""})
    conflict["description"] = f"{conflict['description']}. {busy}" if conflict["description"] else busy


def _is_problem(response: dict[str, Any]) -> bool:
    return bool(response.get("content", {}).get(JSON, {}).get("schema") == _PROBLEM)


class Name(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "orders.api.strict.NameField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        del auto_schema, direction
        return _name(self.target.max_length)


class StrictBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "orders.api.strict.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        """What it refuses, the document refuses."""
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # noqa: SLF001 - as its documentation shows
        return schema | {"additionalProperties": False}


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
