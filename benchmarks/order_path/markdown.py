"""Tables as Markdown, and their places in a page. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from benchmarks.order_path.tables import Table


def replaced(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of `name`. Raises `ValueError` where they are not there once each."""
    begin, end = f"<!-- bench: {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"expected `{begin}` and `{end}` once each, in this order")
    return pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text)


def markdown(table: Table) -> str:
    lines = [
        f"**{table.title}**",
        "",
        _row(table.header),
        _row(["---", *["---:"] * (len(table.header) - 1)]),
        *map(_row, table.rows),
    ]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
