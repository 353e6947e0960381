"""What is counted of web requests: django-prometheus' figures, with labels that nobody outside can make grow.

Note on batches: a request counts in a dozen series. To write each of them where the other processes read it is a
fourth of the work that the status of an order takes. So a process counts for itself, and writes sums a moment later;
when it is killed, the counts of that moment are lost.
"""

from __future__ import annotations

import atexit
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django_prometheus.middleware import Metrics
from prometheus_client import Histogram

_MOMENT = 0.5  # seconds
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})
_UNNAMED = "<unnamed view>"

_metrics = Metrics.get_instance()


class _Kind(NamedTuple):
    """Requests of a kind count in the same series."""

    method: str
    transport: str
    resolved: bool
    view: str
    status: int
    charset: str
    streaming: bool
    ajax: bool


class _Observations:
    """Of a histogram: how many in which of its buckets, and their sum."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._bounds = histogram._upper_bounds  # noqa: SLF001 - it has no way of its own to take more than one
        self._buckets: Counter[int] = Counter()
        self._sum = 0.0

    def add(self, amount: float) -> None:
        self._buckets[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def write(self) -> int:
        """How many there were."""
        for number, count in self._buckets.items():
            self._histogram._buckets[number].inc(count)  # noqa: SLF001 - the same
        self._histogram._sum.inc(self._sum)  # noqa: SLF001 - the same
        return self._buckets.total()


class _Batch:
    """What has been counted and not written."""

    def __init__(self) -> None:
        self.begun = 0
        self.whole = _Observations(_metrics.requests_latency_before)
        self.sent_bytes = _Observations(_metrics.requests_body_bytes)
        self.given_bytes = _Observations(_metrics.responses_body_bytes)
        # Seconds of each.
        self.kinds: dict[_Kind, _Observations] = {}

    def of_kind(self, kind: _Kind) -> _Observations:
        if (found := self.kinds.get(kind)) is None:
            histogram = _metrics.requests_latency_by_view_method.labels(kind.view, kind.method)
            found = self.kinds[kind] = _Observations(histogram)
        return found

    def write(self) -> None:
        _metrics.requests_total.inc(self.begun)
        _metrics.responses_total.inc(self.whole.write())
        self.sent_bytes.write()
        self.given_bytes.write()
        for kind, seconds in self.kinds.items():
            _write(kind, seconds.write())


def _write(kind: _Kind, count: int) -> None:
    _metrics.requests_by_method.labels(kind.method).inc(count)
    _metrics.requests_by_transport.labels(kind.transport).inc(count)
    if kind.resolved:
        _metrics.requests_by_view_transport_method.labels(kind.view, kind.transport, kind.method).inc(count)
    if kind.ajax:
        _metrics.requests_ajax.inc(count)
    _metrics.responses_by_status.labels(str(kind.status)).inc(count)
    _metrics.responses_by_status_view_method.labels(str(kind.status), kind.view, kind.method).inc(count)
    _metrics.responses_by_charset.labels(kind.charset).inc(count)
    if kind.streaming:
        _metrics.responses_streaming.inc(count)


class _Counts:
    """Of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batch = _Batch()
        self._awaited = False

    def begun(self) -> None:
        with self._lock:
            self._batch.begun += 1
            self._await_writing()

    def ended(self, seconds: float) -> None:
        with self._lock:
            self._batch.whole.add(seconds)
            self._await_writing()

    def answered(self, kind: _Kind, seconds: float, *, sent: int, given: int | None) -> None:
        """`sent` and `given`: bytes of both bodies; None where nobody knows."""
        with self._lock:
            self._batch.of_kind(kind).add(seconds)
            self._batch.sent_bytes.add(sent)
            if given is not None:
                self._batch.given_bytes.add(given)
            self._await_writing()

    def write(self) -> None:
        with self._lock:
            if not self._awaited:
                return
            batch, self._batch, self._awaited = self._batch, _Batch(), False
        batch.write()

    def _await_writing(self) -> None:
        if not self._awaited:
            self._awaited = True
            timer = threading.Timer(_MOMENT, self.write)
            timer.daemon = True
            timer.start()


_counts = _Counts()
write = _counts.write
atexit.register(write)


class WholeRequests:
    """Middleware, before all others: counts requests and how long they take, whoever answers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _counts.begun()
        began = time.perf_counter()
        response = self._get_response(request)
        _counts.ended(time.perf_counter() - began)
        return response


class RequestMetrics:
    """Middleware: counts requests by what was asked and what became of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self._get_response(request)
        _counts.answered(
            _kind(request, response),
            time.perf_counter() - began,
            sent=int(request.META.get("CONTENT_LENGTH") or 0),
            given=None if response.streaming else len(response.content),  # type: ignore[attr-defined] # the others have it
        )
        return response

    def process_template_response(
        self, request: HttpRequest, response: SimpleTemplateResponse
    ) -> SimpleTemplateResponse:
        del request
        _metrics.responses_by_templatename.labels(str(response.template_name)).inc()
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        _metrics.exceptions_by_type.labels(type(exception).__name__).inc()
        _metrics.exceptions_by_view.labels(_view(request)).inc()


def _kind(request: HttpRequest, response: HttpResponseBase) -> _Kind:
    return _Kind(
        method=request.method if request.method in _METHODS else "<invalid method>",
        transport="https" if request.is_secure() else "http",
        resolved=request.resolver_match is not None,
        view=_view(request),
        status=response.status_code,
        charset=response.charset,
        streaming=response.streaming,
        ajax=request.META.get("HTTP_X_REQUESTED_WITH") == "XMLHttpRequest",
    )


def _view(request: HttpRequest) -> str:
    """Also of a middleware that answers in a view's place and says in which."""
    return (request.resolver_match and request.resolver_match.view_name) or _UNNAMED
