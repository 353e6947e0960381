# noqa: INP001 - a script
"""Runs bandit over the service. A finding is an error unless a line of its statement says why it is none.

`noqa: S603 - why` where ruff finds it, too, whose S603 is bandit's B603; `nosec: B404 - why` where bandit alone does.
"""

import json
import re
import subprocess  # nosec: B404 - runs the linter beside it
import sys
from pathlib import Path
from typing import Any

CHECKED = "order_entry_project", "consumers", "routing", "orders", "manage.py", ".ci"


def found(paths: tuple[str, ...]) -> list[dict[str, Any]]:
    """What bandit finds, as it reports it."""
    command = [sys.executable, "-m", "bandit", "--quiet", "--format=json", "--ignore-nosec", "-r", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - bandit itself
    try:
        report = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"bandit did not run:\n{done.stderr}")
    if report["errors"]:
        sys.exit(f"bandit could not read everything: {report['errors']}")
    return list(report["results"])


def is_explained(finding: dict[str, Any], lines: list[str]) -> bool:
    first, last = finding["line_range"][0], finding["line_range"][-1]
    number = finding["test_id"].removeprefix("B")
    explained = re.compile(rf"# (noqa: [^#]*\bS{number}\b|nosec: B{number}) - \w")
    return any(map(explained.search, lines[first - 1 : last]))


def main(paths: tuple[str, ...] = CHECKED) -> int:
    faults = [
        f"{finding['filename']}:{finding['line_number']}: {finding['test_id']} {finding['issue_text']}"
        for finding in found(paths)
        if not is_explained(finding, Path(finding["filename"]).read_text(encoding="utf-8").splitlines())
    ]
    print("\n".join(faults) or "bandit finds nothing that is not explained.")  # noqa: T201 - its answer
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
