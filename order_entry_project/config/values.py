"""What the sections of the configuration are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orders import durations


def as_seconds(value: Any) -> Any:
    return durations.seconds(value) if isinstance(value, str) else value


MASK = "**********"
# [scheme://]user:password@host: all up to the last @ before a path.
_in_url = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/@:\s]*):([^/\s]*)@")


def passwords_in(text: str) -> list[str]:
    """Those of the URLs, or of what is written like one, in a value."""
    return [password for _, password in _in_url.findall(text) if password]


def without_passwords(text: str) -> str:
    return _in_url.sub(rf"\1:{MASK}@", text)


Seconds = Annotated[float, BeforeValidator(as_seconds), Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What `repr` shows: a URL without its password, as a `SecretStr` does of itself."""
        for key, value in super().__repr_args__():
            yield key, without_passwords(value) if isinstance(value, str) else value
