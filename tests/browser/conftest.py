"""Fixtures of the browser tests. Django's ORM is not for them: Playwright has an event loop on their thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.desk import Desk, desk
from tests.browser.visitor import Visitor, visit
from tests.servers.asking import private
from tests.servers.chromium import chromium as running_chromium

Visit = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    # Not for the session: its event loop would be in the way of other tests of this worker.
    with sync_playwright() as playwright, private("chromium", running_chromium(playwright)) as browser:
        yield browser


@pytest.fixture(scope="module")
def settings_of_desk() -> dict[str, str]:
    """What a module's desk is configured with, as SECTION__KEY."""
    return {}


@pytest.fixture(scope="module")
def own_desk(
    chromium: Browser,
    postgresql: str,
    tmp_path_factory: pytest.TempPathFactory,
    settings_of_desk: dict[str, str],
) -> Iterator[Desk]:
    """One that all tests of a module share; each has orders of its own."""
    with desk(postgresql, tmp_path_factory.mktemp("desk"), **settings_of_desk) as made:
        yield made


@pytest.fixture(scope="module")
def _logged_in(chromium: Browser, own_desk: Desk) -> Callable[[str], Any]:
    """The cookies of a person, who has logged in once."""
    known: dict[str, Any] = {}

    def state(name: str) -> Any:
        if name not in known:
            with visit(chromium, own_desk) as visitor:
                visitor.log_in(name)
                known[name] = visitor.page.context.storage_state()
        return known[name]

    return state


@pytest.fixture
def at_desk(chromium: Browser, own_desk: Desk, _logged_in: Callable[[str], Any]) -> Iterator[Visit]:
    """Someone at a browser, logged in by name (or not, without one); the browser must have nothing to complain of."""
    with ExitStack() as stack:
        visitors: list[Visitor] = []

        def arrive(name: str | None = None, **how: Any) -> Visitor:
            state = _logged_in(name) if name else None
            visitor = stack.enter_context(visit(chromium, own_desk, state=state, **how))
            visitors.append(visitor)
            return visitor

        yield arrive
        assert [said for visitor in visitors for said in visitor.complaints()] == []
