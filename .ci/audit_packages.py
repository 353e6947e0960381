# noqa: INP001 - a script
"""Asks whether a known vulnerability is in what the locks install, and says so where nobody can be asked."""

import json
import subprocess  # nosec: B404 - runs the audit beside it
import sys
from typing import Any

# The service's packages and those it is checked with, what speaks to IBM MQ, what it is measured beside.
LOCKS = "requirements-dev.lock", "requirements-amqp10.lock", "benchmarks/requirements.lock"
SERVICES = "pypi", "osv"


def audit(service: str) -> list[dict[str, Any]] | str:
    """Of each package what `service` knows of it, or why nothing is known of any."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--timeout=10"]
    command += ["--format=json", "--progress-spinner=off", f"--vulnerability-service={service}"]
    command += [f"--requirement={lock}" for lock in LOCKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - pip-audit itself
    try:
        packages = list(json.loads(done.stdout)["dependencies"])
    except ValueError:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else f"pip-audit ended with {done.returncode}"
    # A mirror without the advisories knows no package, which pip-audit takes for good news.
    if all("skip_reason" in package for package in packages):
        return str(packages[0]["skip_reason"]) if packages else f"{', '.join(LOCKS)} name no package"
    return packages


def main() -> int:
    reasons = []
    for service in SERVICES:
        packages = audit(service)
        if not isinstance(packages, str):
            return told(packages)
        reasons.append(f"  {service}: {packages:.200}")
    say("SKIPPED: packages are not audited, no service of advisories can be asked from here:", *reasons)
    return 0


def told(packages: list[dict[str, Any]]) -> int:
    """What is vulnerable, and what nobody knows; the first is an error."""
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    faults = [
        f"{package['name']} {package['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions']) or 'none'}"
        for package in packages
        for fault in package.get("vulns", ())
    ]
    if unknown:
        say(f"Nothing is known of {', '.join(unknown)}.")
    say(*(faults or [f"No vulnerability is known in {len(packages) - len(unknown)} packages."]))
    return bool(faults)


def say(*lines: str) -> None:
    print(*lines, sep="\n")  # noqa: T201 - its answer


if __name__ == "__main__":
    sys.exit(main())
