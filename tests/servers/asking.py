"""Asking the run's keeper for a server."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from tests.servers.binaries import installed
from tests.servers.unavailable import UnavailableError

T = TypeVar("T")

FOLDER_VARIABLE = "ORDER_ENTRY_TEST_RUN"


def folder() -> Path:
    """The folder of this run, shared by all its workers."""
    return Path(os.environ[FOLDER_VARIABLE])


def ask(server: str) -> Any:
    """What a test needs to know of `server`, started if need be; skips or fails where it cannot be had."""
    with socket.socket(socket.AF_UNIX) as connection:
        _connect(connection)
        with connection.makefile("rw") as lines:
            lines.write(f"{server}\n")
            lines.flush()
            answer = json.loads(lines.read())
    if reason := answer.get("unavailable"):
        _go_without(server, reason)
    if error := answer.get("failed"):
        pytest.fail(f"{server} did not start: {error}")
    return answer["server"]


@contextmanager
def private(name: str, server: AbstractContextManager[T]) -> Iterator[T]:
    """A server of the test's own; skips or fails where it cannot be had."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(server)
        except UnavailableError as error:
            _go_without(name, str(error))
        yield started


def needed(name: str, *, package: str) -> str:
    """The path of an installed program; skips or fails where it cannot be had."""
    try:
        return installed(name, package=package)
    except UnavailableError as missing:
        _go_without(name, str(missing))


def needed_module(name: str, *, by: str) -> None:
    """Skips or fails where a Python module is not installed; `by` installs it. In a fixture, or as a module begins."""
    if find_spec(name) is None:
        _go_without(name, f"{name} is not installed: {by}")


def fail_where_nothing_may_be_missing(name: str, reason: str) -> None:
    """Fails where CI=true: there is all that tests need, or it is to be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is needed where CI=true: {reason}")


def _go_without(name: str, reason: str) -> NoReturn:
    fail_where_nothing_may_be_missing(name, reason)
    pytest.skip(reason, allow_module_level=True)


def _connect(connection: socket.socket) -> None:
    """The keeper may still be starting."""
    until = time.monotonic() + 30
    while True:
        try:
            connection.connect(str(folder() / "keeper"))
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > until:
                pytest.fail(f"the keeper of the test servers does not answer; see {folder()}/keeper.log")
            time.sleep(0.02)
        else:
            return
