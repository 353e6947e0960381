"""The pytest plugin that gives a run its own configuration and servers.

Loaded by `addopts = -p` in pyproject.toml: before pytest-django, which reads Django's settings early on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from order_entry_project.embedded.postgres import USER
from tests.checkout import ROOT
from tests.servers.asking import FOLDER_VARIABLE


def _begin_run() -> subprocess.Popen[bytes]:
    # Short, for the sockets in it.
    folder = Path(tempfile.mkdtemp(prefix="oe-test-", dir="/tmp"))
    config = {"database": {"sql_host": str(folder / "pg"), "sql_user": USER}}
    (folder / "order-entry.yaml").write_text(yaml.safe_dump(config))
    # What the shell or a running demo of this checkout has set is not for tests.
    for name in [name for name in os.environ if name.startswith("ORDER_ENTRY")]:
        del os.environ[name]
    os.environ["ORDER_ENTRY_CONFIG"] = str(folder / "order-entry.yaml")
    os.environ[FOLDER_VARIABLE] = str(folder)
    # The pipe is this process's alone: it closes when this process ends, however it does.
    with (folder / "keeper.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


# An xdist worker uses what its controller began.
_keeper = None if "PYTEST_XDIST_WORKER" in os.environ else _begin_run()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if _keeper is not None and _keeper.stdin is not None:
        _keeper.stdin.close()
        _keeper.wait(30)
