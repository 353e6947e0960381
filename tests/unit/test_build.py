"""Which version runs: one source for it, and a commit wherever one is known."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tomllib

import django
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import order_entry_project
from consumers.build_info import BuildInfo
from order_entry_project import build
from tests.checkout import ROOT


@pytest.fixture
def facts(monkeypatch, tmp_path):
    """`facts()` of an installation in a folder that is no checkout."""
    build.facts.cache_clear()
    monkeypatch.setattr(build, "BASE_DIR", tmp_path)
    monkeypatch.setattr(build, "_FILE", tmp_path / "COMMIT")
    monkeypatch.delenv("ORDER_ENTRY_COMMIT", raising=False)
    yield build.facts
    build.facts.cache_clear()


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "order_entry_project.__version__"}
    assert build.facts()["version"] == order_entry_project.__version__


def test_python_and_django_are_those_that_run(facts):
    assert (facts()["python"], facts()["django"]) == (platform.python_version(), django.get_version())


def test_an_installation_without_a_commit_says_so(facts):
    assert facts()["commit"] == "unknown"


def test_the_commit_is_what_the_build_says_by_variable_or_file(facts, monkeypatch, tmp_path):
    (tmp_path / "COMMIT").write_text("fedcba9876543210\n")
    assert facts()["commit"] == "fedcba987654"
    facts.cache_clear()
    monkeypatch.setenv("ORDER_ENTRY_COMMIT", "0123456789abcdef")
    assert facts()["commit"] == "0123456789ab"


def test_a_checkout_is_asked_itself(facts, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert facts()["commit"] == head[:12]


def test_a_checkout_that_git_cannot_read_has_an_unknown_commit(facts, tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere")
    assert facts()["commit"] == "unknown"


def test_the_metric_is_one_with_the_facts_as_labels():
    registry = CollectorRegistry()
    registry.register(BuildInfo(lambda: {"version": "1", "commit": "c", "python": "3", "django": "5"}))
    sample = 'order_entry_build_info{commit="c",django="5",python="3",version="1"} 1.0'
    assert sample in generate_latest(registry).decode()


def manage(*arguments, **env):
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("asked", ["--version", "version"])
def test_the_command_line_says_the_services_version_even_if_the_configuration_is_broken(asked):
    done = manage(asked, ORDER_ENTRY__MQ__BATCH_SIZE="broken", ORDER_ENTRY_COMMIT="0123456789abcdef")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"order-entry {order_entry_project.__version__} (commit 0123456789ab, "
        f"Python {platform.python_version()}, Django {django.get_version()})\n"
    )


def test_the_version_can_be_had_as_json():
    done = manage("version", "--json", ORDER_ENTRY_COMMIT="0123456789abcdef")
    assert json.loads(done.stdout) == {
        "version": order_entry_project.__version__,
        "commit": "0123456789ab",
        "python": platform.python_version(),
        "django": django.get_version(),
    }
