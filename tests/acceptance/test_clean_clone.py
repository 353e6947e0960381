"""The README's first command, as a new user gives it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from order_entry_project.config import BASE_DIR
from tests.cpu import seconds_of_children

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


def make(clone: Path, target: str) -> subprocess.CompletedProcess[str]:
    # Neither this run's configuration nor its make flags are a new user's.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ORDER_ENTRY", "MAKE"))}
    return subprocess.run(["make", target], cwd=clone, env=env, capture_output=True, text=True, check=False)


def test_make_demo_sets_up_a_clean_clone_and_the_second_time_is_quick(tmp_path: Path):
    clone = tmp_path / "a clone, in a folder with a long name and a comma" / ("deep" * 10)
    subprocess.run(["git", "clone", "--quiet", BASE_DIR, clone], check=True)

    first = make(clone, "demo")
    assert first.returncode == 0, first.stdout + first.stderr
    began = seconds_of_children()
    second = make(clone, "demo")
    assert second.returncode == 0, second.stdout + second.stderr
    # Two cores need less than these seconds of CPU in wall-clock time when they have nothing else to do.
    assert seconds_of_children() - began < 20
    assert "Installing" not in second.stdout

    left = subprocess.run(["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True)
    assert left.stdout == ""

    assert (clone / ".order-entry").is_dir()
    assert make(clone, "clean").returncode == 0
    assert not (clone / ".order-entry").exists()
