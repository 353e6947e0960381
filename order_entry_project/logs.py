"""Where log lines go: three files of JSON lines, and the console.

`order_entry.log` has a line for each order's outcome, `router_calls.log` one for each call, `sql_errors.log` one for
each statement that failed, see `log_file.py`. Secrets of the configuration never get through. A line written while
a span is current bears its ids.

Note on batches: what happened to a batch of orders is one record whose `lines` has a dictionary for each order: its
message and its fields. They are written as a line each, with one write for all: a record for each order would cost
ten times as much.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, SecretStr
from pythonjsonlogger.msgspec import MsgspecFormatter

if TYPE_CHECKING:
    from order_entry_project.config import Config

FILES = ("order_entry", "router_calls", "sql_errors")
_NAMES = {"levelname": "level", "name": "logger"}
_FIELDS = ("levelname", "name", "message")
# Fast on lines full of URLs: it begins with plain text, and looks no further than the string a URL stands in.
_PASSWORD_IN_URL = re.compile(r"""://([^/\s:@"]*):[^/\s@"]+@""")
_SHORTEST_SECRET = 4
_MOST_LEARNED = 32


SpanIds = tuple[str, str]  # trace id and span id, in hexadecimal


class _Redacting:
    """Formats as the class beside it does, adds the ids of the current span, and blots out secrets."""

    configured: Sequence[str] = ()
    learned: Sequence[str] = ()
    secrets: tuple[str, ...] = ()  # all of these, as they are written
    span_of: Callable[[logging.LogRecord], SpanIds | None] = staticmethod(lambda _: None)

    def format(self, record: logging.LogRecord) -> str:
        if not hasattr(record, "trace_id") and not hasattr(record, "lines") and (ids := self.span_of(record)):
            record.trace_id, record.span_id = ids
        text: str = super().format(record)  # type: ignore[misc] # a formatter is the other base
        for secret in self.secrets:
            text = text.replace(secret, "[secret]")
        return _PASSWORD_IN_URL.sub(r"://\1:[secret]@", text)


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


def hide(secret: str) -> None:
    """Let this one, learned while running, get through no more than those of the configuration."""
    if len(secret) < _SHORTEST_SECRET:
        return
    if secret in _Redacting.learned:  # compares no guess: all of them are this service's own
        return
    # The latest: those that they have replaced open nothing.
    _Redacting.learned = [secret, *_Redacting.learned][:_MOST_LEARNED]
    _Redacting.secrets = _as_written([*_Redacting.configured, *_Redacting.learned])


def logging_config(config: Config) -> dict[str, Any]:
    """Django's LOGGING."""
    _Redacting.configured = secrets_of(config)
    _Redacting.secrets = _as_written([*_Redacting.configured, *_Redacting.learned])
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
            **{name: _file_logger(name, with_file=name in files) for name in FILES},
        },
    }


def secrets_of(section: BaseModel) -> list[str]:
    """All secret values of a configuration, the passwords in its URLs among them."""
    found: list[str] = []
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found += secrets_of(value)
        elif isinstance(value, SecretStr):
            found.append(value.get_secret_value())
        elif isinstance(value, dict):
            found += [item.get_secret_value() for item in value.values() if isinstance(item, SecretStr)]
        elif isinstance(value, str) and "://" in value and (password := _password(value)):
            found.append(password)
    return [secret for secret in found if len(secret) >= _SHORTEST_SECRET]


def _as_written(secrets: Iterable[str]) -> tuple[str, ...]:
    """Each as it is and as a JSON text has it; the longest first, lest a part of it be blotted out alone."""
    forms = {form for secret in secrets for form in (secret, msgspec.json.encode(secret).decode()[1:-1])}
    return tuple(sorted(forms, key=len, reverse=True))


def _password(url: str) -> str | None:
    try:
        return urlsplit(url.partition(",")[0]).password
    except ValueError:
        return None


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
