"""The running API against its own OpenAPI document: Schemathesis asks, with valid requests and with others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_entry_project.config import BASE_DIR
from tests.acceptance.test_web import web
from tests.servers.postgres import fresh_database

SCHEMATHESIS = [
    str(Path(sys.executable).with_name("schemathesis")),
    *("--config-file", "tests/openapi/schemathesis.toml", "run", "--continue-on-failure"),
]


@pytest.fixture(scope="module")
def api(postgresql, django_db_setup, tmp_path_factory) -> Iterator[list[str]]:
    """What names a running API that takes one token of every scope."""
    with fresh_database(postgresql) as database:
        made = subprocess.run(
            [sys.executable, "manage.py", "create_api_token", "schemathesis"]
            + [part for scope in ("read", "create", "operate") for part in ("--scope", scope)],
            cwd=BASE_DIR,
            env={**os.environ, **database.env},
            capture_output=True,
            text=True,
            check=True,
        )
        with web({**database.env, "WEB_CONCURRENCY": "1"}, tmp_path_factory.mktemp("web")) as url:
            yield [f"{url}/openapi.json", "--header", f"Authorization: Bearer {made.stdout.split()[-1]}"]


def holds(api: list[str], *options: str) -> None:
    asked = subprocess.run(
        [*SCHEMATHESIS, *api, *options],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout[-20_000:] + asked.stderr[-2000:]
    assert "No issues found" in asked.stdout


@pytest.mark.long
def test_the_api_is_as_its_document_says_in_a_few_hundred_requests(api):
    holds(api, "--phases", "fuzzing", "--max-time", "3", "--generation-deterministic")


@pytest.mark.long
def test_the_api_is_as_its_document_says_at_every_edge_of_it_and_in_thousands_of_requests(api):
    holds(api, "--phases", "examples,coverage,fuzzing", "--max-time", "80", "--generation-deterministic")
