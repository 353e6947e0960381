"""The commands that the documentation gives, as it gives them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.checkout import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

# An indented block; a line that goes on is of the one before.
_blocks_in = re.compile(r"(?<=\n\n)(?: {4}.*\n)+").finditer
_spans_in = re.compile(r"`((?:python )?manage\.py [^`]+|[a-z_]+ [^`]*--[^`]*)`").findall
_without_comment = re.compile(r"\s+# .*$").sub


@dataclass(frozen=True)
class Command:
    page: str
    text: str

    @property
    def program(self) -> str:
        words = self.text.split()
        return words[words.index("manage.py") + 1] if "manage.py" in words else words[0]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def commands() -> Iterator[Command]:
    """Each line of a block; SQL as a whole."""
    for page in PAGES:
        for block in _blocks_in(page.read_text(encoding="utf-8")):
            sql = block[0].lstrip().startswith("SELECT")
            for line in [" ".join(block[0].split())] if sql else block[0].splitlines():
                if line.strip():
                    yield Command(page.name, _without_comment("", line.strip()))


def management_commands(names: set[str]) -> Iterator[tuple[Path, list[str]]]:
    """The words of each `manage.py` command, in blocks and in the text, without those two words."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [
            _without_comment("", line[0]).strip() for line in re.finditer(r"^ {4}.*$", text, re.MULTILINE)
        ]
        for given in [*lines, *_spans_in(text)]:
            words = shlex.split(given.replace("…", "").replace("[", "").replace("]", ""), comments=True)
            if "manage.py" in words:
                yield page, words[words.index("manage.py") + 1 :]
            elif words and words[0] in names:
                yield page, words
