"""What a check of preflight finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(slots=True, frozen=True)
class Finding:
    """`key`: where in the configuration; `found`: what is the case; `expected` and `advice`: unless that is OK."""

    level: Level
    key: str
    found: str
    expected: str = ""
    advice: str = ""


def ok(key: str, found: str) -> Finding:
    return Finding(Level.OK, key, found)


def warning(key: str, found: str, *, expected: str, advice: str) -> Finding:
    return Finding(Level.WARNING, key, found, expected, advice)


def failed(key: str, found: str, *, expected: str, advice: str) -> Finding:
    return Finding(Level.FAILED, key, found, expected, advice)


def worst(findings: Iterable[Finding]) -> Level:
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAILED, Level.WARNING) if level in levels), Level.OK)


def first_line(error: BaseException) -> str:
    """Of what an error says; its type where it says nothing."""
    return (str(error).strip() or repr(error)).partition("\n")[0]


def days(seconds: float) -> str:
    return f"{seconds / 86_400:g} days"
