"""Server binaries of this machine, installed where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.unavailable import UnavailableError

_PLACES = "/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:{postgresql}"


def installed(binary: str, *, package: str) -> str:
    """The path of `binary`, from Debian's `package` where it is missing and this is root on Debian."""
    if path := _found(binary):
        return path
    if os.geteuid() != 0 or not shutil.which("apt-get") or not Path("/etc/debian_version").exists():
        raise UnavailableError(f"{binary} is not installed (Debian: apt-get install {package})")
    _apt_get("update")
    _apt_get("install", "--yes", "--no-install-recommends", package)
    if path := _found(binary):
        return path
    raise UnavailableError(f"apt-get install {package} brought no {binary}")


def _found(binary: str) -> str | None:
    # Debian keeps each version of PostgreSQL in a folder of its own.
    postgresql = ":".join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    return shutil.which(binary, path=_PLACES.format(postgresql=postgresql))


def _apt_get(*arguments: str) -> None:
    # Debian starts a service when it is installed, unless this file says no: tests run their own.
    policy = Path("/usr/sbin/policy-rc.d")
    mine = not policy.exists()
    if mine:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        done = subprocess.run(
            ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments],
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        if mine:
            policy.unlink()
    if done.returncode:
        raise UnavailableError(f"apt-get {' '.join(arguments)} failed: {done.stderr.strip()}")
