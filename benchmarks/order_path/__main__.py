"""`make bench`, or `python -m benchmarks.order_path`; `--help` has the options."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.order_path import books, options, report
from benchmarks.order_path.goals import goals, missed
from benchmarks.order_path.options import Options
from benchmarks.order_path.results import Machine, Results
from benchmarks.order_path.rounds import Rounds
from benchmarks.order_path.stack import stack
from order_entry_project.embedded.processes import EmbeddedError
from tests.servers.unavailable import UnavailableError

_WIDTH = 220  # of tables in a file


def main() -> int:
    chosen = options.parse()
    signal.signal(signal.SIGTERM, _end)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    try:
        results = measure(chosen, console)
    except (EmbeddedError, UnavailableError) as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    report.show(results, chosen, console)
    if chosen.page:
        from benchmarks.order_path import page

        for file in page.write(results, chosen):
            console.print(f"written: {file}")
    if chosen.json:
        chosen.json.write_bytes(msgspec.json.format(msgspec.json.encode(report.document(results))))
    return int(chosen.enforce and any(missed(goals(results))))


def measure(chosen: Options, console: Console) -> Results:
    results = Results(machine=Machine.this())
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")
    # Drawn between the steps only: nothing else is to run beside what is measured.
    with Progress(*columns, console=console, auto_refresh=False) as progress:
        task = progress.add_task("starting the stack", total=None)
        progress.refresh()
        with stack(chosen.folder) as running:
            books.create(running)
            steps = list(Rounds(running, chosen, results).steps())
            for done, step in enumerate(steps):
                progress.update(task, total=len(steps), completed=done, description=step.label, refresh=True)
                step.take()
            progress.update(task, completed=len(steps), description="done", refresh=True)
    return results


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
