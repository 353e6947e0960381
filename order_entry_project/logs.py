"""Where log lines go: three files of JSON lines, and the console.

`order_entry.log` has a line for each order's outcome, `router_calls.log` one for each call, `sql_errors.log` one for
each statement that failed, see `log_file.py`. Secrets never get through, see `redaction.py`. A line written while
a span is current bears its ids.

Note on batches: what happened to a batch of orders is one record whose `lines` has a dictionary for each order: its
message and its fields. They are written as a line each, with one write for all: a record for each order would cost
ten times as much.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pythonjsonlogger.msgspec import MsgspecFormatter

from order_entry_project.redaction import redacted

if TYPE_CHECKING:
    from order_entry_project.config import Config

FILES = ("order_entry", "router_calls", "sql_errors")
_NAMES = {"levelname": "level", "name": "logger"}
_FIELDS = ("levelname", "name", "message")

SpanIds = tuple[str, str]  # trace id and span id, in hexadecimal


class _Redacting:
    """Formats as the class beside it does, adds the ids of the current span, and blots out secrets."""

    span_of: Callable[[logging.LogRecord], SpanIds | None] = staticmethod(lambda _: None)

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "trace_id") and not hasattr(record, "lines") and (ids := self.span_of(record)):
            record.trace_id, record.span_id = ids
        text: str = super().format(record)  # type: ignore[misc] # a formatter is the other base
        return redacted(text)


class JsonLines(_Redacting, MsgspecFormatter):
    """One JSON object a line: time, level, logger, instance, message, and what the caller gave as `extra`.

    `lines` among that: a line for each of these, see the note on batches.
    """

    def __init__(self) -> None:
        super().__init__(
            _FIELDS,
            timestamp="time",
            rename_fields=_NAMES,
            static_fields={"instance": socket.gethostname()},
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {**log_data, "pid": os.getpid()}

    def jsonify_log_record(self, log_data: dict[str, Any]) -> str:
        lines = log_data.pop("lines", None)
        if lines is None:
            return super().jsonify_log_record(log_data)
        del log_data["message"]
        shared = self._encoder.encode(log_data)[:-1] + b","
        # A line break in a value is escaped: this one is between two lines.
        each = self._encoder.encode_lines(lines).replace(b"\n{", b"\n" + shared)
        return (shared + each[1:-1]).decode()


class PlainLines(_Redacting, logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        trace_id = getattr(record, "trace_id", None)
        return f"{line} trace_id={trace_id} span_id={getattr(record, 'span_id', '')}" if trace_id else line


def follow(span_of: Callable[[logging.LogRecord], SpanIds | None]) -> None:
    """Ask `span_of`, at each line, what it belongs to."""
    _Redacting.span_of = staticmethod(span_of)


def logging_config(config: Config) -> dict[str, Any]:
    """Django's LOGGING."""
    text = config.logs.console == "text" or (config.logs.console == "auto" and sys.stderr.isatty())
    folder = config.logs.folder
    files = {name: _file(folder / f"{name}.log") for name in FILES} if folder else {}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "order_entry_project.logs.JsonLines"},
            "text": {
                "()": "order_entry_project.logs.PlainLines",
                "format": "%(asctime)s %(levelname)-7s %(name)s  %(message)s",
            },
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "text" if text else "json"},
            "nowhere": {"class": "logging.NullHandler"},
            **files,
        },
        "root": {"handlers": ["console"], "level": config.logs.level},
        "loggers": {
            # Eight lines and a stack for each failed attempt to connect; its users say in one what happened.
            "pika": {"level": "CRITICAL"},
            # health.py says what changed; this would say at each probe what has not.
            "health_check": {"level": "ERROR"},
            # span_export.py says once a minute what these would say of each batch, and of each span that is lost.
            "opentelemetry.exporter": {"level": "CRITICAL"},
            "opentelemetry.sdk._shared_internal": {"level": "ERROR"},
            # It warns of each long statement that telemetry.py has it cut off.
            "opentelemetry.attributes": {"level": "ERROR"},
            **{name: _file_logger(name, with_file=name in files) for name in FILES},
        },
    }


def _file(path: Path) -> dict[str, Any]:
    return {"class": "order_entry_project.log_file.LogFile", "path": str(path), "formatter": "json"}


def _file_logger(name: str, *, with_file: bool) -> dict[str, Any]:
    """Without a folder, orders and calls are written nowhere, and cost nothing; errors are on the console."""
    shown = name == "sql_errors"
    return {
        "handlers": [name] if with_file else ["nowhere"],
        "level": "INFO" if with_file or shown else "CRITICAL",
        "propagate": shown,
    }
