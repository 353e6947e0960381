"""What is counted of web requests: django-prometheus' figures, with labels that nobody outside can make grow."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django_prometheus.middleware import PrometheusAfterMiddleware


class RequestMetrics(PrometheusAfterMiddleware):  # type: ignore[misc]
    """Its latencies take a request's method as it came: here it is one of HTTP's own, everywhere.

    A request is counted a dozen times: what it is counted in is looked up by its labels once.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._labelled: dict[tuple[Any, ...], Any] = {}

    def label_metric(
        self, metric: Any, request: HttpRequest, response: HttpResponseBase | None = None, **labels: str
    ) -> Any:
        if not labels:
            return metric
        if "method" in labels:
            labels["method"] = self._method(request)
        key = (metric, *labels.values())
        if (labelled := self._labelled.get(key)) is None:
            labelled = self._labelled[key] = super().label_metric(metric, request, response, **labels)
        return labelled

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: dict[str, Any]
    ) -> None:
        request.counted_by_view = True  # type: ignore[attr-defined] # ours
        super().process_view(request, view_func, view_args, view_kwargs)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        # Middleware may answer in a view's place, and say in which.
        if request.resolver_match is not None and not hasattr(request, "counted_by_view"):
            super().process_view(request, request.resolver_match.func)
        counted: HttpResponseBase = super().process_response(request, response)
        return counted
