"""The threat model names tests that there are, for every threat."""

import re

import pytest

from tests.checkout import ROOT

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_a_test_that_is_named_exists(file, test):
    assert re.search(rf"^\s*def {test}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_threat_has_its_test():
    threats = [
        line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what |")
    ]
    assert len(threats) >= 20
    assert [threat for threat in threats if "::test_" not in threat] == []
