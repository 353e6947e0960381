"""What a run of the tests does about servers that cannot be had, and about its own sudden end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_entry_project.config import BASE_DIR
from tests.processes import await_no_process_of, commands_of
from tests.servers import binaries
from tests.servers.asking import FOLDER_VARIABLE, ask, needed_module
from tests.servers.unavailable import UnavailableError


@pytest.fixture
def keeper_without_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/keeper")
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rw") as lines:
                lines.write(json.dumps({"unavailable": f"no {lines.readline().strip()} here"}))

        threading.Thread(target=answer, daemon=True).start()
        monkeypatch.setenv(FOLDER_VARIABLE, folder)
        yield


@pytest.mark.usefixtures("keeper_without_servers")
def test_a_server_that_cannot_be_had_skips_its_tests_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no rabbitmq here"):
        ask("rabbitmq")


@pytest.mark.usefixtures("keeper_without_servers")
def test_a_server_that_cannot_be_had_fails_its_tests_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"needed where CI=true: no rabbitmq here"):
        ask("rabbitmq")


def test_a_module_that_is_not_installed_skips_its_tests_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_module is not installed: make it") as skipped:
        needed_module("no_such_module", by="make it")
    assert skipped.value.allow_module_level


def test_a_module_that_is_not_installed_fails_its_tests_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no_such_module is needed where CI=true"):
        needed_module("no_such_module", by="make it")


def test_a_missing_binary_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UnavailableError, match=r"no-such-server is not installed \(.* such-package\)"):
        binaries.installed("no-such-server", package="such-package")


@pytest.mark.long
def test_a_killed_run_takes_its_servers_along():
    mark = uuid.uuid4().hex
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    command = [sys.executable, "-m", "pytest", "-n", "1", "tests/integration/test_servers.py"]
    with subprocess.Popen(command, cwd=BASE_DIR, env=env | {"RUN": mark}, stdout=subprocess.DEVNULL) as run:
        until = time.monotonic() + 60
        while not {"postgres", "epmd", "beam.smp"} <= {
            Path(command.split()[0]).name for _, command in commands_of(mark) if command
        }:
            assert run.poll() is None
            assert time.monotonic() < until, commands_of(mark)
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
    await_no_process_of(mark)
