"""The locks are those of requirements*.txt: what is installed is named with its version and its hashes."""

import re
from pathlib import Path

import pytest

from tests.checkout import ROOT

# Each with as many packages as it names at the least.
LOCKS = {
    "requirements.lock": 20,
    "requirements-dev.lock": 20,
    "benchmarks/requirements.lock": 20,
    "requirements-amqp10.lock": 1,
}
_requirement = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


def required(name):
    """Package → version, of a file and those it includes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = {_canonical(package): version for package, version in _requirement.findall(text)}
    for included in re.findall(r"^-r (\S+)", text, re.MULTILINE):
        found |= required(Path(name).parent / included)
    return found


def _canonical(package):
    return re.sub(r"[-_.]+", "-", package).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_each_requirement_in_the_version_that_is_required(lock):
    asked = required(lock.replace(".lock", ".txt"))
    assert len(asked) >= LOCKS[lock]
    locked = required(lock)
    assert {package: locked.get(package) for package in asked} == asked, "run make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_of_a_lock_has_hashes(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) > LOCKS[lock]
    assert [
        entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)
    ] == []


def test_tests_run_with_the_very_versions_that_are_deployed():
    deployed = required("requirements.lock")
    tested = required("requirements-dev.lock")
    assert {package: tested.get(package) for package in deployed} == deployed
