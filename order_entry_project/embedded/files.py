"""Files of the embedded stack that this user alone can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write a file that this user alone can read; whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def kept_secret(path: Path, *, size: int = 50) -> str:
    """The secret in `path`, made at first use."""
    if not path.exists():
        write_private(path, f"{secrets.token_urlsafe(size)}\n")
    return path.read_text().strip()
