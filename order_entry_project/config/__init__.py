"""The configuration file as typed settings.

One YAML file, found through ``ORDER_ENTRY_CONFIG`` (else the file that the embedded stack of this checkout
writes, else none), overridden key by key from the environment: ``ORDER_ENTRY__MQ__BATCH_SIZE=50``.
Whatever is not understood is refused with its path and what was expected: see `load`. Each section has its class.
"""

from __future__ import annotations

import os
import re
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsError
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from order_entry_project.config import place
from order_entry_project.config.api import Api
from order_entry_project.config.console import Console
from order_entry_project.config.database import Database
from order_entry_project.config.idempotency import Idempotency
from order_entry_project.config.limits import Limits
from order_entry_project.config.logs import Logs
from order_entry_project.config.mq import Mq
from order_entry_project.config.place import (
    BASE_DIR,
    EMBEDDED_DIR,
    ENV_PREFIX,
    ConfigError,
    is_embedded_stack,
    names_nothing,
)
from order_entry_project.config.registry import ServiceRegistry
from order_entry_project.config.router import Router
from order_entry_project.config.safeguard import Safeguard
from order_entry_project.config.service import Service
from order_entry_project.config.stores import Aerospike, Cache, Redis
from order_entry_project.config.telemetry import Telemetry
from order_entry_project.config.values import Section, without_passwords
from order_entry_project.config.whole import Config

__all__ = [
    "BASE_DIR",
    "EMBEDDED_DIR",
    "ENV_PREFIX",
    "Aerospike",
    "Api",
    "Cache",
    "Config",
    "ConfigError",
    "Console",
    "Database",
    "Idempotency",
    "Limits",
    "Logs",
    "Mq",
    "Redis",
    "Router",
    "Safeguard",
    "Section",
    "Service",
    "ServiceRegistry",
    "Telemetry",
    "is_embedded_stack",
    "load",
    "names_nothing",
]

_QUOTED = re.compile(r" *'[^']*'")


def load() -> Config:
    """The configuration in force. Raises `ConfigError` with every key at fault."""
    path = place.path()
    _refuse_unknown_variables()
    try:
        return Config()
    except ValidationError as error:
        where = path or "the environment"
        lines = [f"  {_key(fault['loc'])}: {_explain(fault)}" for fault in error.errors()]
        raise ConfigError("\n".join([f"The configuration in {where} cannot be used:", *lines])) from None
    except SettingsError as error:
        raise ConfigError(f"the environment: {error}; expected JSON: {error.__cause__}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable as YAML: {_unreadable(error)}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path or 'the environment'}: {error}") from None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        if not name.startswith(ENV_PREFIX):
            continue
        section = name[len(ENV_PREFIX) :].split("__")[0].lower()
        if section not in Config.model_fields:
            raise ConfigError(f"{name}: unknown section; there are {', '.join(Config.model_fields)}")


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(whole file)"


def _explain(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "unknown key"
    message = str(fault["msg"].removeprefix("Value error, "))
    # A URL may hold a password, and what stands in place of a whole section may hold anything.
    words = "password", "secret", "url", "endpoint", "token_keys", "otlp", "api_key"
    secret = any(word in str(part) for part in fault["loc"] for word in words)
    whole = isinstance(fault["input"], dict) or len(fault["loc"]) == 1
    return without_passwords(message if secret or whole else f"{message}, got {fault['input']!r}")


def _unreadable(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Where and why, without the names that it quotes: a password may be taken for one, beginning with * or !."""
    if not isinstance(error, ComposerError | ConstructorError) or error.problem_mark is None:
        return str(error)
    mark = error.problem_mark
    return f"{_QUOTED.sub('', error.problem or '')} at line {mark.line + 1}, column {mark.column + 1}"
