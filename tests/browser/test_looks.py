"""Each main page at a desk and on a telephone, by day and by night: it fits, and everyone can use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import places
from tests.browser.visitor import visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def settings_of_desk():
    return places.FOUR_EYES


@pytest.fixture(scope="module")
def full_desk(chromium, own_desk):
    places.fill(own_desk)
    with visit(chromium, own_desk) as supervisor:
        supervisor.log_in("supervisor")
        places.act(supervisor)
    return own_desk


@pytest.mark.parametrize("place", places.FULL)
def test_a_page_fits_and_is_open_to_everyone(place, full_desk, at_desk):
    faults = at_desk("supervisor").faults(places.FULL[place])
    assert faults == [], "\n".join(faults)


@pytest.mark.parametrize("place", places.PICTURED)
def test_a_picture_of_a_page_for_the_documentation_is_small(place, full_desk, at_desk, request, tmp_path):
    picture = Path(request.config.getoption("--pictures") or tmp_path) / f"{place}.png"
    visitor = at_desk("supervisor")
    places.FULL[place](visitor)
    visitor.page.screenshot(path=picture)
    assert picture.stat().st_size < 200_000
