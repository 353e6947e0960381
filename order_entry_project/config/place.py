"""Where the configuration is found: the file, and the variables that override it."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parents[2]
EMBEDDED_DIR = BASE_DIR / ".order-entry"
ENV_PREFIX = "ORDER_ENTRY__"


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key, what it held and what was expected."""


def path() -> Path | None:
    """The file in force, None where there is none. Raises `ConfigError`."""
    if named := os.environ.get("ORDER_ENTRY_CONFIG"):
        file = Path(named)
        if not file.is_file():
            raise ConfigError(f"ORDER_ENTRY_CONFIG names {file}, which is not a file")
        return file
    embedded = EMBEDDED_DIR / "order-entry.yaml"
    return embedded if embedded.is_file() else None


def names_nothing() -> bool:
    """Whether neither a file nor a variable says anything: every key has its default."""
    return path() is None and not _overrides()


def is_embedded_stack() -> bool:
    """Whether the running embedded stack of this checkout is what is configured, and nothing beside it."""
    return path() == EMBEDDED_DIR / "order-entry.yaml" and not _overrides()


def _overrides() -> list[str]:
    return [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]
