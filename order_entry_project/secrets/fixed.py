"""A secret that the configuration holds: it is what it is until the next start."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Fixed(Generic[T]):
    """A `Source`."""

    def __init__(self, value: T) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "<from the configuration>"

    def current(self) -> T:
        return self._value

    def renewed(self, refused: T, *, patience: float) -> T | None:
        """The other one, where `refused` did not come from here."""
        del patience
        return self._value if self._value != refused else None
