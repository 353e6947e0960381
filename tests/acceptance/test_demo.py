"""`make demo`, as far as it goes without make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.embedded_stack import manage
from tests.cpu import seconds_of_children
from tests.processes import commands_of


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.long)])
def test_the_demo_finds_every_figure_as_demanded_and_leaves_nothing_running(tmp_path: Path, times: int):
    for _ in range(times):
        began = seconds_of_children()
        done = manage("demo", "--data", str(tmp_path))
        assert done.returncode == 0, done.stderr
        # Two cores need less than these seconds of CPU in wall-clock time when they have nothing else to do.
        assert seconds_of_children() - began < 20
        rows = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
        assert ["Orders", "taken", "920", "920"] in rows
        assert ["Duplicates", "50", "50"] in rows
        assert ["Rejected", "30", "30"] in rows
        assert ["Routed", "920", "920"] in rows
        assert ["Published", "920", "920"] in rows
        assert ["Pending", "0", "0"] in rows
        assert "make run" in done.stdout
        assert commands_of(str(tmp_path)) == []
        assert not (tmp_path / "order-entry.yaml").exists()


@pytest.mark.long
def test_the_demo_fails_and_names_the_figures_that_are_wrong(tmp_path: Path):
    done = manage(
        "demo",
        "--messages=100",
        "--data",
        str(tmp_path),
        ORDER_ENTRY__SERVICE_REGISTRY__PATH="/nowhere/{name}",
    )
    assert done.returncode == 1
    assert "orders ROUTED in SQL: 0, not 92" in done.stderr
    assert "pending, says the consumer: 92, not 0" in done.stderr
    assert commands_of(str(tmp_path)) == []


@pytest.mark.long
def test_the_demo_keeps_to_its_own_stack_whatever_the_shell_names(tmp_path: Path):
    done = manage(
        "demo",
        "--messages=100",
        "--data",
        str(tmp_path),
        ORDER_ENTRY__DATABASE__SQL_HOST="db.example.invalid",
        ORDER_ENTRY__MQ__BROKER_URL="amqp://mq.example.invalid",
        ORDER_ENTRY__SERVICE_REGISTRY__ENDPOINT="registry.example.invalid:8090",
    )
    assert done.returncode == 0, done.stderr


def test_the_demo_says_why_it_cannot_work_in_a_folder(tmp_path: Path):
    (tmp_path / "file").write_text("")
    done = manage("demo", "--data", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(tmp_path / "file") in done.stderr
