"""Debian's Chromium, without a window."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.binaries import installed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """A running browser. Raises `UnavailableError` where there is none."""
    browser = playwright.chromium.launch(
        executable_path=installed("chromium", package="chromium"),
        # Its sandbox is not for root, and the pages are our own.
        chromium_sandbox=os.geteuid() != 0,
        args=["--disable-dev-shm-usage", "--force-color-profile=srgb", "--font-render-hinting=none"],
    )
    try:
        yield browser
    finally:
        browser.close()
