"""Traces: which are made, and where they go. Without `telemetry.otlp_endpoint` nothing of this is even imported.

Note on sampling: a trace begins with a web request or a look-up in the registry, which are drawn with
`telemetry.sampling_ratio`, or with a message, for which `orders.tracing` has drawn before there is a span. What
comes with a `traceparent` follows it.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import socket
from typing import TYPE_CHECKING

from order_entry_project import __version__, logs
from orders import tracing

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span

    from order_entry_project.config import Config
    from order_entry_project.span_export import LazyBatches

# Probes, scrapes and styles. Matched against the whole URL: an order may be called health.
_UNTRACED = "^https?://[^/]+/(health(/live|/ready)?|metrics|static/.*)$"
# What makes a route a regular expression.
_REGULAR = re.compile(r"\(\?P(<\w+>)[^()]*\)|\^|\\Z|\$")
_LONGEST = 4096  # characters of an attribute


def start(config: Config) -> None:
    """Make spans in this process and those it forks, if there is anybody to send them to. Begins no thread."""
    if config.telemetry.otlp_endpoint is None:
        return
    from opentelemetry import trace
    from opentelemetry.instrumentation.requests import RequestsInstrumentor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

    from order_entry_project.sampling import Roots
    from order_entry_project.span_export import LazyBatches

    # Names of today, without those of yesterday beside them.
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http,database"
    ratio = config.telemetry.sampling_ratio
    batches = LazyBatches(config.telemetry)
    trace.set_tracer_provider(_provider(config, ParentBased(Roots(ratio)), batches))
    drawn = _provider(config, ALWAYS_ON, batches)
    # These keep the provider, without which a fork would not have its service.instance.id.
    tracing.use(drawn.get_tracer("order_entry"), ratio, drawn.shutdown)
    atexit.register(drawn.shutdown)
    RequestsInstrumentor().instrument()
    logs.follow(_ids)


def instrument_web(config: Config) -> None:
    """Requests and their statements, after `start` and before the middleware is loaded."""
    if config.telemetry.otlp_endpoint is None:
        return
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    from order_entry_project.sampling import Roots

    Roots.only_requests = True
    DjangoInstrumentor().instrument(excluded_urls=_UNTRACED, request_hook=_continue, response_hook=_name)
    PsycopgInstrumentor().instrument()


def _provider(config: Config, sampler: Sampler, batches: LazyBatches) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider

    # The SDK adds service.instance.id, one for each process.
    resource = Resource.create(
        {
            "service.name": config.service.name,
            "service.version": __version__,
            "host.name": socket.gethostname(),
        }
    )
    limits = SpanLimits(max_attribute_length=_LONGEST)
    provider = TracerProvider(sampler, resource, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(batches)
    return provider


def _continue(span: Span, request: HttpRequest) -> None:
    """What the request brings about belongs to its span: `POST /order` keeps this header with the order."""
    from django.http.request import split_domain_port

    if span.is_recording():
        # The instrumentation leaves the port in it.
        span.set_attribute("server.address", split_domain_port(request.get_host())[0])
    context = span.get_span_context()
    if context.is_valid:
        request.META["HTTP_TRACEPARENT"] = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )


def _name(span: Span, request: HttpRequest, response: HttpResponseBase) -> None:
    """By the route, as a person writes it: `GET order/<order_id>`."""
    del response
    if request.resolver_match and span.is_recording():
        route = _REGULAR.sub(lambda part: part[1] or "", request.resolver_match.route)
        span.set_attribute("http.route", route)
        span.update_name(f"{request.method} {route}")


def _ids(record: logging.LogRecord) -> logs.SpanIds | None:
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if context.is_valid:
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"
    # What Django says of a request after its span has ended.
    headers = getattr(getattr(record, "request", None), "META", {})
    if traceparent := tracing.followed(headers.get("HTTP_TRACEPARENT")):
        _, trace_id, span_id, _ = traceparent.split("-")
        return trace_id, span_id
    return None
