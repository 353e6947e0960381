"""The page of guarantees names tests that there are, and speaks of every promise."""

import re

import pytest

from tests.checkout import ROOT

PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_test_that_is_named_exists(file, test):
    assert re.search(rf"^\s*def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_promise_has_its_tests():
    _, *promises = re.split(r"^### (?=P\d)", PAGE, flags=re.MULTILINE)
    assert [promise[:2] for promise in promises] == [f"P{number}" for number in range(1, 10)]
    assert all("::test_" in promise for promise in promises)
