"""Messages that can be told apart."""

from __future__ import annotations

from collections.abc import Sequence

from consumers.transport import Message


def numbered(count: int, *, start: int = 0) -> list[Message]:
    return [Message(b"%d" % number, f"m{number}") for number in range(start, start + count)]


def bodies(messages: Sequence[Message]) -> list[bytes]:
    return [message.body for message in messages]
