"""Where a service can be called."""

from __future__ import annotations

from urllib.parse import urlsplit

_LONGEST = 255  # characters: what order_routes keeps of it


def checked_endpoint(url: str) -> str:
    """`url` without trailing slashes, if a service can be called there. Raises `ValueError`."""
    expected = "expected an endpoint such as http://host:8082"
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > _LONGEST:
        raise ValueError(f"{expected}, at most {_LONGEST} ASCII characters, got {url!r:.300}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{expected}, got {url!r}: {error}") from None
    if not usable or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{expected}, without user, query or fragment, got {url!r}")
    return url.rstrip("/")
