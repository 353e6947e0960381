"""Migrations while the service runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from order_entry_project.config import BASE_DIR


def migrate(database, *target: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "manage.py", "migrate", *target]
    env = {**os.environ, **database.env}
    return subprocess.run(
        argv, cwd=BASE_DIR, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.long
def test_one_that_cannot_have_its_lock_gives_up_and_says_so_instead_of_making_consumers_wait(database):
    with database.connect() as reader:
        reader.autocommit = False
        reader.execute("SELECT FROM worker_states")
        refused = migrate(database, "consumers", "0005")
    assert refused.returncode == 1
    assert "A lock was not to be had within 1s" in refused.stderr
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('worker_states') IS NOT NULL").fetchone() == (True,)
    # Nobody reads any more.
    assert migrate(database, "consumers", "0005").returncode == 0
    assert migrate(database).returncode == 0
