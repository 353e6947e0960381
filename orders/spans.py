"""Spans by OpenTelemetry, for `tracing.py`: imported only where there is somebody to send them to.

Note on batches: spans are made after the fact, from the times measured for a batch, one for each sampled order
in it. A statement that served several orders is one piece of work: the span of the first order links to the traces
of the others, theirs to that span.

Names as in the specification; attributes as in OpenTelemetry's conventions for messaging, databases and HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

if TYPE_CHECKING:
    from orders.tracing import Attributes, Trace

# The SDK keeps so many of a span.
_MOST_LINKS = 128
_NOWHERE = Context()


@dataclass(slots=True, eq=False)
class OpenSpan:
    """A span under way; `traceparent`: the context of what is done under it."""

    traceparent: str
    _span: Span

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def end(self, attributes: Attributes, *, error: str | None = None) -> None:
        """`error`: one word or code for what went wrong."""
        self._span.set_attributes(attributes)
        _end(self._span, error, None)


class Spans:
    """`tracer` samples whatever it is asked for."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def root(self, name: str, traceparent: str | None, at: float) -> OpenSpan:
        """The span of a message that came `at` (monotonic), below whoever sent it."""
        parent = set_span_in_context(_remote(traceparent), _NOWHERE) if traceparent else _NOWHERE
        span = self._tracer.start_span(
            name, parent, SpanKind.CONSUMER, start_time=_wall(time.monotonic(), at)
        )
        return OpenSpan(_traceparent(span), span)

    def batch(
        self,
        name: str,
        traces: Sequence[Trace],
        began: float,
        ended: float,
        attributes: Attributes,
        *,
        error: str | None,
    ) -> None:
        """What was done for these orders together between two times (monotonic)."""
        now = time.monotonic()
        start, end = _wall(now, began), _wall(now, ended)
        links = [Link(_context(trace.traceparent)) for trace in traces[1 : 1 + _MOST_LINKS]]
        for trace in traces:
            span = self._tracer.start_span(
                name,
                set_span_in_context(_remote(trace.traceparent), _NOWHERE),
                SpanKind.CLIENT,
                {**attributes, **trace.ids},
                links,
                start_time=start,
            )
            _end(span, error, end)
            if trace is traces[0]:
                links = [Link(span.get_span_context())]

    def outgoing(self, name: str, trace: Trace, attributes: Attributes, *, sends: bool) -> OpenSpan:
        span = self._tracer.start_span(
            name,
            set_span_in_context(_remote(trace.traceparent), _NOWHERE),
            SpanKind.PRODUCER if sends else SpanKind.CLIENT,
            {**attributes, **trace.ids},
        )
        return OpenSpan(_traceparent(span), span)


def _end(span: Span, error: str | None, at: int | None) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end(at)


def _remote(traceparent: str) -> Span:
    return NonRecordingSpan(_context(traceparent))


def _context(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )


def _traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _wall(now: float, at: float) -> int:
    """Nanoseconds since 1970 of a monotonic time."""
    return time.time_ns() - round((now - at) * 1e9)
