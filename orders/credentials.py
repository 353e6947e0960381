"""Credentials that may change while the service runs: what the layers below know of where they come from.

The composition root puts one source for each neighbour into Django's settings, as `settings.CREDENTIALS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")


class CredentialsUnavailable(Exception):
    """Nobody has said what they are; the message says who was asked and why there was no answer."""


@dataclass(slots=True, frozen=True)
class Login:
    user: str
    password: str = field(repr=False)


class Source(Protocol[T]):
    """Where one secret comes from; for any number of threads."""

    def current(self) -> T:
        """The last one known. Raises `CredentialsUnavailable`."""

    def renewed(self, refused: T, *, patience: float) -> T | None:
        """Another than `refused`, asked for unless one is known; None where none is within `patience` seconds.

        Asking goes on when the patience has ended, and is done once for however many ask.
        """
