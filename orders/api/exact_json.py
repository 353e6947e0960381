"""JSON whose numbers stand as written: `145.50` is neither a float's `145.5` nor the text `"145.50"`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import msgspec
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer

from orders import documents


class ExactJSONRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        del accepted_media_type, renderer_context
        return b"" if data is None else msgspec.json.encode(data)


def document(data: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> HttpResponse:
    """An answer whose content is there at once."""
    return HttpResponse(
        ExactJSONRenderer().render(data), status=status, content_type="application/json", headers=headers
    )


@extend_schema_field(OpenApiTypes.NUMBER)
class ExactNumber(serializers.Field[Decimal, Any, msgspec.Raw, Any]):
    """A number in the form that `text` gives it; read-only."""

    def __init__(self, text: Callable[[Decimal], str]) -> None:
        super().__init__(read_only=True)
        self._text = text

    def to_representation(self, value: Decimal) -> msgspec.Raw:
        return msgspec.Raw(self._text(value).encode())


@extend_schema_field(OpenApiTypes.DATETIME)
class Time(serializers.Field[datetime, Any, str, Any]):
    """A time in the form the spec gives it; read-only. `allow_null`: it may not have come yet."""

    def __init__(self, *, allow_null: bool = False) -> None:
        super().__init__(read_only=True, allow_null=allow_null)

    def to_representation(self, value: datetime) -> str:
        return documents.time_text(value)
