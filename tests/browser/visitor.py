"""A person at a browser, and what the browser has to complain of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.desk import Desk
from tests.browser.people import PASSWORD

Scheme = Literal["light", "dark"]
WIDE, NARROW = 1280, 375
_HEIGHT = {WIDE: 900, NARROW: 812}
_PATIENCE = 15_000
expect.set_options(timeout=_PATIENCE)
_GRAVE = ("serious", "critical")
# Put up by a page before any of its own scripts.
_LISTEN = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""
# The deepest elements that reach out of the window, none of them in a box that scrolls by itself.
_OVERFLOWING = """() => {
  const wide = document.scrollingElement;
  if (wide.scrollWidth <= window.innerWidth) return [];
  const scrolls = (e) => e && e !== document.body && e !== wide
    && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  const out = [...document.body.querySelectorAll("*")]
    .filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1 && !scrolls(e))
    .filter((e, _, all) => ![...e.children].some((child) => all.includes(child)));
  const named = (e) => `${e.outerHTML.slice(0, 120)} to ${Math.round(e.getBoundingClientRect().right)}`;
  return [`${wide.scrollWidth} > ${window.innerWidth}`, ...out.slice(0, 5).map(named)];
}"""


class Visitor:
    """`page`: where they are."""

    def __init__(self, page: Page, desk: Desk) -> None:
        self.page = page
        self._desk = desk
        self._complaints: list[str] = []
        page.set_default_timeout(_PATIENCE)
        page.add_init_script(_LISTEN)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self._complaints.append(f"{page.url}: {error}"))

    def open(self, path: str) -> None:
        """A page of the console, by its address below /admin/."""
        self.page.goto(f"{self._desk.url}/admin/{path}")

    def log_in(self, name: str) -> None:
        self.open("")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(f"{self._desk.url}/admin/")

    def complaints(self) -> list[str]:
        """What the browser had to say since it was asked last: errors, warnings, what the policy forbade."""
        said, self._complaints = self._complaints, []
        return said

    def barriers(self) -> list[str]:
        """What keeps people with disabilities out of this page, each with its first place."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]} "
            f"{one['nodes'][0]['failureSummary']}"
            for one in found
            if one["impact"] in _GRAVE
        ]

    def overflow(self) -> list[str]:
        """What makes the page wider than the window, if it is."""
        return self.page.evaluate(_OVERFLOWING)

    def faults(self, go: Callable[[Visitor], None]) -> list[str]:
        """What is wrong with the page that `go` leads to.

        It has to fit in all four looks; to be open to everyone, in each colour and each width once.
        """
        found = []
        for scheme, examined in (("light", WIDE), ("dark", NARROW)):
            self.page.emulate_media(color_scheme=scheme)
            self._resize(WIDE)
            go(self)
            for width in (WIDE, NARROW):
                self._resize(width)
                said = self.overflow() + (self.barriers() if width == examined else [])
                found += [f"{scheme}, {width} px: {fault}" for fault in said]
        return found

    def _resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": _HEIGHT[width]})

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._complaints.append(f"{self.page.url}: {message.type}: {message.text}")


@contextmanager
def visit(
    chromium: Browser,
    desk: Desk,
    *,
    width: int = WIDE,
    scheme: Scheme = "light",
    state: Any = None,
    scripts: bool = True,
) -> Iterator[Visitor]:
    """Someone new at a browser of their own; `state`: the cookies of one who is logged in."""
    context = chromium.new_context(
        viewport={"width": width, "height": _HEIGHT[width]},
        color_scheme=scheme,
        storage_state=state,
        java_script_enabled=scripts,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    try:
        yield Visitor(context.new_page(), desk)
    finally:
        context.close()
