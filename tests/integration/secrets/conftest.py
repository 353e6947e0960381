from __future__ import annotations

import pytest

from order_entry_project.config import Safeguard
from tests.doubles.safeguard import Appliance


@pytest.fixture
def safeguard(tmp_path):
    with Appliance(tmp_path) as appliance:
        yield appliance


@pytest.fixture
def section(safeguard):
    """`section(key=value)`: how an application is configured that asks `safeguard`."""

    def make(**keys):
        known = {
            "host": safeguard.host,
            "client_cert": safeguard.client_cert,
            "ca_cert": safeguard.ca_cert,
            "timeout": 2.0,
        }
        return Safeguard(**known | keys)

    return make
