"""A secret that is fetched from elsewhere: the last one known, in memory only, refreshed beside the work.

Note on asking: each secret has one thread in each process, which alone asks for it: at first use, every
`refresh` seconds, and when the one known was refused. However many threads wait for an answer, it is asked once.
Between two questions lies a pause, longer with each that brought nothing; polls, and the questions of processes
that were refused at the same moment, are spread by chance. So no outage, of either side, becomes a stampede.

Note on forks: the thread begins with the first use, which comes after them. A child begins anew.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from orders import backoff
from orders.credentials import CredentialsUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")

_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds between two questions
_SPREAD = 0.2  # seconds: the most a question after a refusal is held back
_JITTER = 0.2  # of the time between two polls
_RANDOM = random.SystemRandom()


class Kept(Generic[T]):
    """A `Source` of what `fetch()` gives, in bounded time, or raises `CredentialsUnavailable` for.

    `name` says in messages what it is; nobody waits longer than `timeout` seconds for it.
    """

    def __init__(self, name: str, fetch: Callable[[], T], *, timeout: float, refresh: float) -> None:
        self._name = name
        self._fetch = fetch
        self._timeout = timeout
        self._refresh = refresh
        self._known: T | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._state = threading.Condition()  # guards all that follows
        self._thread: threading.Thread | None = None
        self._asked = self._asking = self._closed = False
        self._answers = 0
        self._vain = 0  # questions in a row that brought nothing
        self._complaint: str | None = "no answer yet"
        self._not_before = self._next_poll = 0.0

    def __repr__(self) -> str:
        return f"<{self._name}, fetched>"

    def current(self) -> T:
        known = self._known
        if known is None:
            self._ask(lambda: self._known is not None, self._timeout)
            known = self._known
        if known is None:
            raise CredentialsUnavailable(f"{self._name}: {self._complaint}")
        return known

    def renewed(self, refused: T, *, patience: float) -> T | None:
        """See `Source`. With a patience of 0, it is asked for and not waited for."""
        self._ask(lambda: self._known != refused, min(patience, self._timeout))
        known = self._known
        return known if known != refused else None

    def close(self) -> None:
        """Ask no more."""
        with self._state:
            self._closed = True
            self._state.notify_all()

    def _ask(self, done: Callable[[], bool], patience: float) -> None:
        with self._state:
            if done() or not (self._asking or time.monotonic() >= self._not_before):
                return
            answers = self._answers
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"secret {self._name}", daemon=True)
                self._thread.start()
            self._state.notify_all()
            self._state.wait_for(lambda: done() or self._answers != answers, patience)

    def _run(self) -> None:
        while True:
            with self._state:
                self._state.wait_for(lambda: self._asked or self._closed, self._next_poll - time.monotonic())
                if self._closed:
                    return
                refused = self._asked and self._known is not None
                self._asking = True
            if refused:
                time.sleep(_RANDOM.uniform(0, _SPREAD))
            self._answered(*self._question(), refused=refused)

    def _question(self) -> tuple[T | None, str | None]:
        """The secret, or why there is none."""
        try:
            return self._fetch(), None
        except CredentialsUnavailable as error:
            return None, str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread lives on
            # Neither its text nor its traceback: who knows what they hold.
            return None, f"unexpected {type(error).__name__}"

    def _answered(self, value: T | None, complaint: str | None, *, refused: bool) -> None:
        new = value is not None and value != self._known
        self._say(complaint, rotated=new and self._known is not None)
        with self._state:
            if value is not None:
                self._known = value
            self._complaint = complaint
            self._vain = self._vain + 1 if value is None or (refused and not new) else 0
            now = time.monotonic()
            pause = backoff.delay(self._vain or 1, base=_PAUSE, cap=_LONGEST_PAUSE)
            self._not_before = now + pause
            jitter = 1 + _RANDOM.uniform(-_JITTER, _JITTER)
            self._next_poll = now + (self._refresh * jitter if value is not None else pause)
            self._asked = self._asking = False
            self._answers += 1
            self._state.notify_all()

    def _say(self, complaint: str | None, *, rotated: bool) -> None:
        if complaint and complaint != self._complaint:
            known = "; the last one known stays in use" if self._known is not None else ""
            logger.warning("%s cannot be had: %s%s", self._name, complaint, known)
        if rotated:
            logger.info("%s has changed, the new one is in use", self._name)
