"""The same with no hand on the mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.people import PASSWORD
from tests.waiting import wait_until

pytestmark = pytest.mark.browser

_MOST_STEPS = 80
# Whether a person sees the focus: on the screen, and it, or what it stands in, looks otherwise than without it.
_VISIBLE = """(element) => {
  const still = new CSSStyleSheet();
  still.replaceSync("* { transition: none !important }");
  document.adoptedStyleSheets = [still];
  const look = (e) => {
    const style = getComputedStyle(e);
    const outline = style.outlineStyle === "none" ? "" : style.outline;
    return [outline, style.boxShadow, style.borderColor, style.backgroundColor].join();
  };
  const looks = () => [element, element.parentElement].map(look).join();
  const focused = looks();
  element.blur();
  const otherwise = looks();
  element.focus();
  const box = element.getBoundingClientRect();
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  return inside && focused !== otherwise;
}"""


class Keys:
    """Goes through a page by Tab; remembers where the focus was that nobody could see."""

    def __init__(self, page):
        self.page = page
        self.unseen = []

    def to(self, wanted):
        """Tab on until `wanted` (a locator) has the focus."""
        wanted.wait_for()
        for _ in range(_MOST_STEPS):
            self.page.keyboard.press("Tab")
            focused = self.page.locator(":focus")
            if focused.count() and not focused.evaluate(_VISIBLE):
                self.unseen.append(focused.evaluate("(element) => element.outerHTML.slice(0, 160)"))
            if wanted.evaluate("(element) => element === document.activeElement"):
                return
        raise AssertionError(f"no focus on {wanted} after {_MOST_STEPS} times Tab")

    def press(self, wanted, key="Enter"):
        self.to(wanted)
        self.page.keyboard.press(key)

    def fill(self, wanted, text):
        self.to(wanted)
        self.page.keyboard.insert_text(text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_stuck_order_is_found_and_routed_by_keyboard_alone(scheme, own_desk, at_desk):
    order_id = own_desk.stuck_orders(f"KEYS-{scheme}", 2)[1]
    anna = at_desk(scheme=scheme)
    page = anna.page
    keys = Keys(page)
    anna.open("")
    keys.fill(page.get_by_label("Username"), "operator")
    keys.fill(page.get_by_label("Password"), PASSWORD)
    page.keyboard.press("Enter")

    keys.press(page.locator("#tile-review"))
    keys.fill(page.locator("#searchbar"), order_id)
    page.keyboard.press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    # By the action on the list, its box checked with the space bar.
    keys.press(page.locator("#result_list input.action-select"), key="Space")
    keys.to(page.locator("select[name=action]"))
    page.keyboard.type("Route")
    keys.press(page.get_by_role("button", name="Run"))
    keys.fill(page.get_by_label("Venue"), "LSE-DESK-7")
    keys.fill(page.get_by_label("Reason"), "the client called")
    keys.press(page.get_by_role("button", name="Route 1 order"))
    expect(page.get_by_role("status")).to_have_text("1 done.")
    keys.press(page.get_by_role("link", name=order_id))
    expect(page.get_by_role("listitem").filter(has_text="Decided: LSE-DESK-7")).to_be_visible()
    wait_until(lambda: own_desk.published(order_id), what="it is published")
    assert keys.unseen == []
