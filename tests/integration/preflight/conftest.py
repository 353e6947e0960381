from __future__ import annotations

import pytest

from order_entry_project.preflight.finding import Finding, Level
from order_entry_project.preflight.run import Check, run


class Found:
    """What checks found."""

    def __init__(self, findings: list[Finding]) -> None:
        self.all = findings

    def __repr__(self) -> str:
        return "\n".join(f"{one.level} {one.key}: {one.found}" for one in self.all)

    def at(self, level: Level) -> list[Finding]:
        return [finding for finding in self.all if finding.level is level]

    def only(self, level: Level) -> Finding:
        """The one that is not OK, which is of this level and says what to do."""
        (finding,) = [finding for finding in self.all if finding.level is not Level.OK]
        assert finding.level is level, self
        assert finding.expected
        assert finding.advice
        return finding

    @property
    def failure(self) -> Finding:
        return self.only(Level.FAILED)

    @property
    def warning(self) -> Finding:
        return self.only(Level.WARNING)

    @property
    def fine(self) -> bool:
        return bool(self.all) and all(finding.level is Level.OK for finding in self.all)


@pytest.fixture
def check(django_db_blocker):
    """`check(findings)` → what that check finds, run as preflight does."""

    def perform(findings, limit=5.0):
        made = findings if isinstance(findings, list) else [Check("the check", "some.key", findings)]
        with django_db_blocker.unblock():
            return Found([finding for _, finding in run(made, limit=limit)])

    return perform
