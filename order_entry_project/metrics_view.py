"""`GET /metrics`: open to all, or to those who hold the scope for it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from order_entry_project.health import AnswerWhateverIsAccepted
from order_entry_project.metrics import metrics
from orders.api.open_views import SometimesOpen
from orders.scopes import Scope


class MetricsView(SometimesOpen):
    scopes: ClassVar = {"GET": Scope.METRICS}
    # Prometheus asks for its own formats and takes the one there is.
    content_negotiation_class = AnswerWhateverIsAccepted

    def is_open(self) -> bool:
        return settings.CONFIG.api.anonymous_metrics

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return metrics(request._request)  # noqa: SLF001 - Django's request; the framework has no other name for it
