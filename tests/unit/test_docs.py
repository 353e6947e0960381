"""What the documentation points to is there."""

import re

import pytest
from django.core.management import get_commands, load_command_class

from tests.checkout import ROOT
from tests.documented import PAGES, management_commands

FOLDERS = "orders", "routing", "consumers", "order_entry_project", "tests", "benchmarks", "deploy", "docs"

links_in = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)").findall
paths_in = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`").findall
headings_in = re.compile(r"^#+ (.+)$", re.MULTILINE).findall


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in links_in(page.read_text(encoding="utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.is_relative_to(ROOT)
        assert target.exists(), link
        if fragment:
            headings = headings_in(target.read_text(encoding="utf-8"))
            assert fragment in map(anchor, headings), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_it_names_is_there(page):
    for path in paths_in(page.read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def test_every_page_can_be_found_from_the_readme():
    linked = {link.partition("#")[0] for link in links_in((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"} <= linked


def options_of(command):
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    return {option for action in parser._actions for option in action.option_strings}


def test_every_command_it_gives_is_there_and_knows_its_options():
    given = list(management_commands(set(get_commands())))
    assert len(given) > 40
    for page, (command, *arguments) in given:
        assert command in get_commands(), f"{page.name}: {command}"
        known = options_of(command)
        for argument in arguments:
            if argument.startswith("--"):
                assert argument.partition("=")[0] in known, f"{page.name}: {command} {argument}"
