"""What runs here: version, commit, and the versions beneath."""

from __future__ import annotations

import os
import platform
import subprocess  # nosec: B404 - each call says what it runs
from functools import cache

import django

from order_entry_project import __version__
from order_entry_project.config.place import BASE_DIR

UNKNOWN = "unknown"
# Whoever builds an image says the commit in either; only a checkout is asked itself.
_VARIABLE = "ORDER_ENTRY_COMMIT"
_FILE = BASE_DIR / "COMMIT"


@cache
def facts() -> dict[str, str]:
    """`version`, `commit` (12 digits, or `unknown`), `python`, `django`."""
    return {
        "version": __version__,
        "commit": (_said() or _checked_out() or UNKNOWN)[:12],
        "python": platform.python_version(),
        "django": django.get_version(),
    }


def _said() -> str:
    if named := os.environ.get(_VARIABLE, "").strip():
        return named
    return _FILE.read_text(encoding="ascii").strip() if _FILE.is_file() else ""


def _checked_out() -> str:
    if not (BASE_DIR / ".git").exists():
        return ""
    command = ["git", "-C", str(BASE_DIR), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
