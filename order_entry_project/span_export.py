"""The way of ended spans to the collector: bounded in memory and time, whatever the collector does.

Note on outages: a thread sends; whoever makes spans never waits for it. While the collector fails, the newest spans
are kept, as many as the queue holds, and the others are lost; nothing else is.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._shared_internal import BatchProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from order_entry_project.config import Telemetry
from orders.tls import TlsFiles

logger = logging.getLogger(__name__)

QUEUE = 2048  # spans
BATCH = 512  # spans
DELAY = 1.0  # seconds that a span waits for others
PATIENCE = 2.0  # seconds that an ending process waits for its last spans
REMINDER = 60.0  # seconds between two lines on an outage
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_TEXTS = ("url.full", "url.query", "db.query.text")


class LazyBatches(SpanProcessor):
    """The SDK's batches, from the first span on: they have a thread, and a process that forks must have none."""

    def __init__(self, config: Telemetry) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._batches: BatchSpanProcessor | None = None

    def on_end(self, span: ReadableSpan) -> None:
        (self._batches or self._begun()).on_end(span)

    def shutdown(self) -> None:
        """Send what is left, for `PATIENCE` seconds at most. A span that ends later begins anew."""
        with self._lock:
            batches, self._batches = self._batches, None
        if batches:
            # The SDK's own method would wait for half a minute.
            _core(batches).shutdown(timeout_millis=round(1000 * PATIENCE))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        del timeout_millis
        self.shutdown()
        return True

    def _begun(self) -> BatchSpanProcessor:
        with self._lock:
            if self._batches is None:
                self._batches = BatchSpanProcessor(
                    Exporter(self._config),
                    max_queue_size=QUEUE,
                    max_export_batch_size=BATCH,
                    schedule_delay_millis=1000 * DELAY,
                )
            return self._batches


def _core(batches: BatchSpanProcessor) -> BatchProcessor[ReadableSpan]:
    return batches._batch_processor  # noqa: SLF001 - the only one that takes a bound


class Exporter(SpanExporter):
    """OTLP over HTTP; says in words of its own, once a minute, that it fails."""

    def __init__(self, config: Telemetry) -> None:
        self._endpoint = config.traces_url
        self._session = _Session()
        tls = TlsFiles.of(config)
        certificate, key = tls.certificate or (None, None)
        self._otlp = OTLPSpanExporter(
            self._endpoint,
            certificate_file=tls.authorities,
            client_certificate_file=certificate,
            client_key_file=key,
            headers={name: value.get_secret_value() for name, value in config.otlp_headers.items()},
            timeout=config.otlp_timeout,
            session=self._session,
        )
        self._said_at: float | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._otlp.export([discreet(span) for span in spans])
        if result is SpanExportResult.SUCCESS:
            self._delivered()
        else:
            self._lost()
        return result

    def shutdown(self) -> None:
        self._otlp.shutdown()  # type: ignore[no-untyped-call]

    def _delivered(self) -> None:
        if self._said_at is not None:
            self._said_at = None
            logger.warning("Traces are delivered to %s again", self._endpoint)

    def _lost(self) -> None:
        now = time.monotonic()
        if self._said_at is None or now - self._said_at >= REMINDER:
            self._said_at = now
            logger.warning(
                "Traces are not delivered and are lost, orders are not affected: POST %s %s",
                self._endpoint,
                self._session.problem,
            )


class _Session(requests.Session):
    """Remembers what went wrong last: the SDK tells its log alone, once for each try."""

    problem = "was not finished in time"

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False  # proxies and netrc

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            answer = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self.problem = f"got no answer ({type(error).__name__})"
            raise
        except OSError as error:
            # A file of certificates that is not there; the SDK expects none but requests' own errors.
            self.problem = f"could not be made: {error}"
            raise requests.RequestException(self.problem) from error
        if not answer.ok or answer.is_redirect:
            self.problem = f"was answered {answer.status_code}"
        if answer.is_redirect:
            # The SDK would take it for a success.
            raise requests.RequestException(self.problem)
        return answer


def discreet(span: ReadableSpan) -> ReadableSpan:
    """The span without what may hold values: an exception's words, a query's literals, a URL's query and user.

    Of an exception, the only event that spans have here, its type is kept, as `error.type`.
    """
    attributes = span.attributes or {}
    if not span.events and not span.status.description and not any(name in attributes for name in _TEXTS):
        return span
    kept: dict[str, Any] = {name: value for name, value in attributes.items() if name != "url.query"}
    if "url.full" in kept:
        kept["url.full"] = _bare(str(kept["url.full"]))
    if "db.query.text" in kept:
        kept["db.query.text"] = _QUOTED.sub("?", str(kept["db.query.text"]))
    if raised := [e.attributes["exception.type"] for e in span.events if e.attributes]:
        kept.setdefault("error.type", raised[0])
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
