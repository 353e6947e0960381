"""The secrets that this process knows, and texts without them: each is blotted out in whatever form it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, unquote

import msgspec
from pydantic import BaseModel, SecretStr

from order_entry_project.config.values import passwords_in

BLOT = "[secret]"
_SHORTEST = 4  # characters: blotting out less would tell where it stood
_MOST_LEARNED = 32
# Fast on lines full of URLs: it begins with plain text, and looks no further than the string a URL stands in.
_IN_URL = re.compile(r"""://([^/\s:@"]*):[^/\s@"]+@""")

_configured: Sequence[str] = ()
_learned: Sequence[str] = ()
_written: tuple[str, ...] = ()  # all of these, as they may be written


def know(secrets: Iterable[str]) -> None:
    """From now on these are blotted out, in place of those that were known so before."""
    global _configured  # noqa: PLW0603 - a process has one set of secrets
    _configured = [secret for secret in secrets if len(secret) >= _SHORTEST]
    _prepare()


def hide(secret: str) -> None:
    """This one, too, which was learned while running."""
    global _learned  # noqa: PLW0603 - as above
    if len(secret) < _SHORTEST:
        return
    if secret in _learned:  # compares no guess: all of them are this service's own
        return
    # The latest: those that they have replaced open nothing.
    _learned = [secret, *_learned][:_MOST_LEARNED]
    _prepare()


def redacted(text: str) -> str:
    """`text` without secrets that are known, and without the password of any URL."""
    for secret in _written:
        text = text.replace(secret, BLOT)
    return _IN_URL.sub(rf"://\1:{BLOT}@", text)


def secrets_of(section: BaseModel) -> list[str]:
    """All secret values of a configuration, the passwords in its URLs among them."""
    return [secret for name in type(section).model_fields for secret in _held(getattr(section, name))]


def _held(value: object) -> list[str]:
    match value:
        case BaseModel():
            return secrets_of(value)
        case SecretStr():
            return [value.get_secret_value()]
        case dict():
            return [secret for item in value.values() for secret in _held(item)]
        case list() | tuple():
            return [secret for item in value for secret in _held(item)]
        case str():
            return passwords_in(value)
        case _:
            return []


def _prepare() -> None:
    """The longest first, lest a part of it be blotted out alone."""
    global _written  # noqa: PLW0603 - as above
    known = {*_configured, *_learned}
    _written = tuple(sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True))


def _forms(secret: str) -> Iterable[str]:
    """As it is, and as texts of JSON, Python and URLs have it."""
    yield secret
    yield msgspec.json.encode(secret).decode()[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    if len(plain := unquote(secret)) >= _SHORTEST:
        yield plain
