"""The runbook's commands as a test gives them, in this process, and the stores they work on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, ManagementUtility, call_command

from orders.stores import choice


@dataclass(frozen=True)
class Answer:
    """`code` as the process would end with; `text` and `errors` as it would print them."""

    code: int
    text: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def lines(self) -> list[list[str]]:
        """The words of each line of a plain table."""
        return [line.split() for line in self.text.splitlines()]


def run(command: str, *arguments: str) -> Answer:
    out, err = StringIO(), StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return Answer(error.returncode, out.getvalue(), f"{err.getvalue()}{error}")
    return Answer(0, out.getvalue(), err.getvalue())


def from_the_command_line(command: str, *arguments: str) -> Answer:
    """As `manage.py` runs it, with its parser's own refusals; for commands that do not come as far as the database."""
    out, err = StringIO(), StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            ManagementUtility().fetch_command(command).run_from_argv(["manage.py", command, *arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Answer(code, out.getvalue(), err.getvalue())


@contextmanager
def using(store: str, *, redis_port: int | None = None, **keys: Any) -> Iterator[None]:
    """The service configured to keep cache and marks in `store`, under keys of this test's own.

    `keys` of the section `aerospike`, which rules the records of every store.
    """
    config = settings.CONFIG
    keys = {"key_pattern": f"orderStatus:{uuid4()}:{{orderId}}"} | keys
    changed: dict[str, Any] = {
        "cache": config.cache.model_copy(update={"store": store}),
        "idempotency": config.idempotency.model_copy(update={"store": store}),
        "aerospike": config.aerospike.model_copy(update=keys),
    }
    if redis_port:
        changed["redis"] = config.redis.model_copy(
            update={"url": f"redis://127.0.0.1:{redis_port}", "timeout": 5}
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "CONFIG", config.model_copy(update=changed))
        choice._shared.cache_clear()
        yield
        choice._shared.cache_clear()
