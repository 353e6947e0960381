"""Bytes of unknown making, for people to read."""

from __future__ import annotations

MOST = 64 * 1024
_WIDTH = 16
_VISIBLE = range(0x20, 0x7F)


def readable(body: bytes, *, most: int = MOST) -> str:
    """`body` as text with what cannot be seen escaped, or as a hex dump where it is no UTF-8.

    Of a long one the first `most` bytes, and how many there are more.
    """
    shown = body[:most]
    text = _text(shown, whole=len(shown) == len(body)) if shown else "(empty)"
    more = len(body) - len(shown)
    return f"{text}\n… and {more:,} bytes more" if more else text


def _text(body: bytes, *, whole: bool) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        # A cut may go through a character; only what is no UTF-8 before it makes this a dump.
        if whole or error.start < len(body) - 3:
            return _dump(body)
        text = body[: error.start].decode()
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _dump(body: bytes) -> str:
    lines = []
    for start in range(0, len(body), _WIDTH):
        row = body[start : start + _WIDTH]
        seen = "".join(chr(byte) if byte in _VISIBLE else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<{3 * _WIDTH}} {seen}")
    return "\n".join(lines)
