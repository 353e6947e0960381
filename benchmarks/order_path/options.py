"""What is to be measured, and how much of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.order_path.contenders import CONTENDERS, Contender

PARTS = ("throughput", "latency", "scaling", "sweep", "memory", "book")
_DEFAULT = ("throughput", "latency", "scaling")
_HISTORY = 200_000
_FOLDER = Path("/var/tmp")  # noqa: S108 - a folder of its own is made in it


@dataclass(frozen=True)
class Options:
    """`orders`: of a run; `rates`: orders a second, for `seconds`; `lone`: orders sent one at a time."""

    parts: tuple[str, ...]
    contenders: tuple[Contender, ...]
    rounds: int
    orders: int
    rates: tuple[int, ...]
    seconds: float
    lone: int
    history: int
    book: int
    folder: Path
    json: Path | None
    page: bool
    enforce: bool


def parse(argv: list[str] | None = None) -> Options:
    given = _parser().parse_args(argv)
    own = [part for part, wanted in (("memory", given.memory), ("book", given.book)) if wanted]
    parts = given.only or own or _DEFAULT
    return Options(
        parts=tuple(part for part in PARTS if part in parts),
        contenders=tuple(
            c for c in CONTENDERS if c.available() and (not given.contenders or c.name in given.contenders)
        ),
        rounds=given.rounds or (1 if given.quick else 5),
        orders=given.orders or (1000 if given.quick else 8000),
        rates=(200,) if given.quick else (200, 500, 1000),
        seconds=2 if given.quick else 4,
        lone=20 if given.quick else 100,
        history=given.memory or (4000 if given.quick else _HISTORY),
        book=given.book or (20_000 if given.quick else 5_000_000),
        folder=given.folder,
        json=given.json,
        page=not (given.quick or given.contenders or given.no_page),
        enforce=given.enforce,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.order_path", description=__doc__)
    parser.add_argument("--rounds", type=_positive, help="rounds, all contenders in turn in each (5)")
    parser.add_argument("--orders", type=_positive, help="orders of a run (8000)")
    parser.add_argument("--quick", action="store_true", help="one short round, whose figures mean nothing")
    parser.add_argument(
        "--only",
        type=_among(PARTS),
        metavar="PART,…",
        help=f"of {', '.join(PARTS)}; else {', '.join(_DEFAULT)}",
    )
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--contenders", type=_among(names), metavar="NAME,…", help=f"of {', '.join(names)}")
    parser.add_argument(
        "--memory",
        type=_positive,
        metavar="ORDERS",
        help=f"memory over so many orders ({_HISTORY}), and only that",
    )
    parser.add_argument(
        "--book", type=_positive, metavar="ORDERS", help="throughput with so many in the book, and only that"
    )
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="on a disk, for the stack (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--no-page", action="store_true", help="leave docs/performance.md as it is")
    parser.add_argument("--enforce", action="store_true", help="exit 1 where a goal is missed")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def _among(names: Sequence[str]) -> Callable[[str], list[str]]:
    def parse_names(text: str) -> list[str]:
        wanted = text.split(",")
        if unknown := [name for name in wanted if name not in names]:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; expected some of {', '.join(names)}")
        return wanted

    return parse_names
