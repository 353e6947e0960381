"""Checks beside each other, each on a thread of its own: one that hangs hides nothing of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from order_entry_project.preflight.finding import Finding, failed, first_line

# What a check's own waits leave of the time limit, so that it can say itself what did not answer.
_SHARE = 0.8


@dataclass(slots=True, frozen=True)
class Check:
    """`findings(patience)` waits for nothing longer than `patience`, seconds; `key` is where it looks."""

    name: str
    key: str
    findings: Callable[[float], Iterator[Finding]]


@dataclass(slots=True)
class _Running:
    check: Check
    found: list[Finding] = field(default_factory=list)
    thread: threading.Thread = field(init=False)

    def start(self, patience: float) -> None:
        # A daemon: one that hangs for good does not keep the process from ending.
        self.thread = threading.Thread(target=self._run, args=(patience,), name=self.check.name, daemon=True)
        self.thread.start()

    def _run(self, patience: float) -> None:
        try:
            self.found.extend(self.check.findings(patience))
        except Exception as error:  # noqa: BLE001 - one check's failure is a finding among those of the others
            self.found.append(
                failed(
                    self.check.key,
                    f"the check broke: {type(error).__name__}: {first_line(error)}",
                    expected="a check that comes to an end",
                    advice="report this as a fault of preflight; look at the key yourself",
                )
            )


def run(checks: Sequence[Check], *, limit: float) -> list[tuple[Check, Finding]]:
    """All findings, in the order of `checks`, after at most `limit` seconds."""
    running = [_Running(check) for check in checks]
    for one in running:
        one.start(_SHARE * limit)
    deadline = time.monotonic() + limit
    found: list[tuple[Check, Finding]] = []
    for one in running:
        one.thread.join(max(0.0, deadline - time.monotonic()))
        found += [(one.check, finding) for finding in tuple(one.found)]
        if one.thread.is_alive():
            found.append((one.check, _hangs(one.check, limit)))
    return found


def _hangs(check: Check, limit: float) -> Finding:
    return failed(
        check.key,
        f"no answer within {limit:g} s",
        expected="an answer in time",
        advice="see whether the neighbour hangs or a firewall swallows packets; --timeout waits longer",
    )
