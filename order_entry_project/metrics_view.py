"""`GET /metrics`: open to all, or to those who hold the scope for it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework.request import Request

from order_entry_project import metrics
from order_entry_project.health import AnswerWhateverIsAccepted
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
        del request
        return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)
