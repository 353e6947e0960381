"""The commands on the page of the audit are understood as they stand there."""

import re
import shlex

import pytest
from django.core.management import load_command_class

from tests.checkout import ROOT

PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    manage\.py (.*?)(?: >> .*)?$", PAGE, re.MULTILINE)
COMMANDS += re.findall(r"`manage\.py (\w+(?: --\w+)*)`", PAGE)
APPS = {
    "anchor_audit": "orders",
    "verify_audit": "orders",
    "export_order": "consumers",
    "create_roles": "order_entry_project",
    "preflight": "order_entry_project",
    "migrate": "django.core",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_named_is_understood(command):
    name, *arguments = shlex.split(command)
    load_command_class(APPS[name], name).create_parser("manage.py", name).parse_args(arguments)


def test_the_page_names_every_command_of_the_audit():
    assert {command.split()[0] for command in COMMANDS} == set(APPS)
