"""Bar charts as SVG, drawn here: they need no script, take the page's colours, and say their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

WIDTH, HEIGHT = 600, 120
_GAP = 0.15  # of a bar's place


@dataclass(frozen=True)
class Bar:
    """`parts`: heights by kind, stacked in their order; None: not known. `label` is said when pointed at."""

    label: str
    parts: Mapping[str, float] | None
    link: str = ""


@dataclass(frozen=True)
class Rectangle:
    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    label: str
    link: str
    x: float
    width: float
    rectangles: Sequence[Rectangle]


@dataclass(frozen=True)
class Chart:
    title: str
    columns: Sequence[Column]
    kinds: Mapping[str, str]  # with the words for them
    most: str  # what the full height stands for
    first: str
    last: str
    gaps: int
    width: ClassVar = WIDTH
    height: ClassVar = HEIGHT

    @property
    def is_empty(self) -> bool:
        return not any(column.rectangles for column in self.columns)


def chart(
    title: str, bars: Sequence[Bar], *, kinds: Mapping[str, str], unit: str, first: str, last: str
) -> Chart:
    """Bars side by side as far as the chart is wide, the highest as high as it is."""
    most = max((sum(bar.parts.values()) for bar in bars if bar.parts), default=0.0)
    place = WIDTH / max(1, len(bars))
    columns = [_column(bar, index * place, place, most) for index, bar in enumerate(bars)]
    gaps = sum(bar.parts is None for bar in bars)
    return Chart(title, columns, kinds, f"{most:,.0f}{unit}", first, last, gaps)


def _column(bar: Bar, x: float, place: float, most: float) -> Column:
    rectangles = []
    top = float(HEIGHT)
    for kind, amount in (bar.parts or {}).items():
        if amount:
            # What is there can be seen.
            height = max(1.0, amount / most * HEIGHT)
            top -= height
            rectangles.append(
                Rectangle(
                    kind,
                    round(x + place * _GAP / 2, 2),
                    round(max(0.0, top), 2),
                    round(place * (1 - _GAP), 2),
                    round(height, 2),
                )
            )
    return Column(bar.label, bar.link, round(x, 2), round(place, 2), rectangles)
