"""A secret in files, read again when they change.

Note on Kubernetes: it exchanges the files of a mounted secret all at once, by a link to another folder. A file is
found by its path each time, never by an open descriptor.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from orders.credentials import CredentialsUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")
_LARGEST = 64 * 1024  # bytes; a secret is smaller


class InFiles(Generic[T]):
    """A `Source`: what `read(texts)` makes of the texts of `files`. `name` says in messages what it is.

    `read` raises `ValueError`, saying what it expected and not what it got. While the files cannot be read or
    used, what they last held stays in use; `learned` is told each text before it is.
    """

    def __init__(
        self,
        name: str,
        files: Sequence[Path],
        read: Callable[[Sequence[str]], T],
        *,
        learned: Callable[[str], None],
    ) -> None:
        self._name = name
        self._files = files
        self._read = read
        self._learned = learned
        self._one_at_a_time = threading.Lock()
        self._seen: object = None
        self._known: T | None = None
        self._complaint = ""

    def __repr__(self) -> str:
        return f"<{self._name} from {', '.join(map(str, self._files))}>"

    def current(self) -> T:
        with self._one_at_a_time:
            self._look()
            if self._known is None:
                raise CredentialsUnavailable(self._complaint)
            return self._known

    def renewed(self, refused: T, *, patience: float) -> T | None:
        """What they hold now; nobody can be asked for more."""
        del patience
        now = self.current()
        return now if now != refused else None

    def _look(self) -> None:
        try:
            seen = [_signature(file) for file in self._files]
            if seen == self._seen:
                return
            texts = [_text(file) for file in self._files]
            for text in texts:
                self._learned(text)
            value = self._read(texts)
        except (OSError, ValueError) as error:
            self._complain(f"{self._name} cannot be had from its file: {error}")
            return
        if self._known is not None and value != self._known:
            logger.info("%s has changed in its file", self._name)
        self._seen, self._known, self._complaint = seen, value, ""

    def _complain(self, complaint: str) -> None:
        self._seen = None
        if complaint != self._complaint:
            self._complaint = complaint
            known = "; the last one known stays in use" if self._known is not None else ""
            logger.warning("%s%s", complaint, known)


def _signature(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _text(file: Path) -> str:
    """Without the line end that editors add. Raises `OSError`, `ValueError`."""
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise ValueError(f"{file}: expected at most {_LARGEST} bytes")
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"{file}: expected UTF-8") from None
    if not text or "\0" in text:
        raise ValueError(f"{file}: expected a text, without NUL")
    return text
