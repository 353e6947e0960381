"""The runbook's commands given wrongly."""

from __future__ import annotations

import pytest

from tests.runbook import from_the_command_line


@pytest.mark.parametrize(
    "misuse",
    [
        ["order_status"],
        ["order_status", "not an id"],
        ["stale_orders", "--older-than", "soon"],
        ["repair_cache", "--batch", "0"],
        ["clear_idempotency"],
        ["reprocess", "ORD-1", "--reason", ""],
    ],
)
def test_misuse_exits_2_and_says_what_was_expected(misuse):
    answer = from_the_command_line(*misuse)
    assert (answer.code, answer.text) == (2, "")
    assert "error:" in answer.errors
    assert "required" in answer.errors or "expected" in answer.errors
