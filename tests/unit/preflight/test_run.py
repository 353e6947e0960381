"""Checks beside each other: none hides another, and all of them end in time."""

from __future__ import annotations

import threading
import time

import pytest

from order_entry_project.preflight.finding import Level, failed, ok, warning, worst
from order_entry_project.preflight.run import Check, run

FINE = ok("a.key", "is fine")


def fine(_):
    yield FINE


@pytest.fixture
def hanging():
    released = threading.Event()

    def hang(_):
        yield FINE
        released.wait(30)

    yield Check("hangs", "b.key", hang)
    released.set()


def test_findings_come_in_the_order_of_the_checks():
    checks = [Check(name, "a.key", fine) for name in ("one", "two", "three")]
    assert [(check.name, finding) for check, finding in run(checks, limit=5)] == [
        ("one", FINE),
        ("two", FINE),
        ("three", FINE),
    ]


def test_a_check_that_hangs_keeps_what_it_found_and_hides_no_other(hanging):
    began = time.monotonic()
    found = run([hanging, Check("fine", "a.key", fine)], limit=0.2)
    assert time.monotonic() - began < 2
    names = [check.name for check, _ in found]
    assert names == ["hangs", "hangs", "fine"]
    assert found[0][1] == found[2][1] == FINE
    assert (found[1][1].level, found[1][1].key) == (Level.FAILED, "b.key")
    assert "no answer within 0.2 s" in found[1][1].found


def test_all_that_hang_cost_the_limit_once(hanging):
    began = time.monotonic()
    run([hanging] * 10, limit=0.2)
    assert time.monotonic() - began < 2


def test_a_check_that_breaks_is_a_finding_itself():
    def broken(_):
        yield FINE
        raise LookupError("of all things")

    found = [finding for _, finding in run([Check("breaks", "c.key", broken)], limit=5)]
    assert found[0] == FINE
    assert (found[1].level, found[1].key) == (Level.FAILED, "c.key")
    assert "LookupError: of all things" in found[1].found


def test_a_checks_own_waits_are_shorter_than_the_limit():
    given = []

    def remember(patience):
        given.append(patience)
        return iter(())

    assert run([Check("remembers", "a.key", remember)], limit=10) == []
    assert given[0] < 10


def test_the_worst_finding_decides():
    warns = warning("a.key", "x", expected="y", advice="z")
    fails = failed("a.key", "x", expected="y", advice="z")
    assert worst([]) is worst([FINE]) is Level.OK
    assert worst([FINE, warns]) is Level.WARNING
    assert worst([warns, fails, FINE]) is Level.FAILED
