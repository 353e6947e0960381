"""A fetched secret: the last one known, asked for once however many want it."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from order_entry_project.secrets import kept
from order_entry_project.secrets.kept import Kept
from orders.credentials import CredentialsUnavailable
from tests.waiting import wait_until

CANARY = "canary-of-a-secret"


class Vault:
    """What is fetched from: `holds` is given, or `error` raised, after `gate` is open."""

    def __init__(self) -> None:
        self.holds = "one"
        self.error: Exception | None = None
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> str:
        self.asked += 1
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return self.holds


@pytest.fixture
def vault():
    return Vault()


@pytest.fixture
def keep(vault, monkeypatch):
    """Makes a kept secret of the vault; its pauses are short."""
    monkeypatch.setattr(kept, "_PAUSE", 0.05)
    monkeypatch.setattr(kept, "_LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(kept, "_SPREAD", 0.01)
    made = []

    def make(*, timeout: float = 5, refresh: float = 60) -> Kept[str]:
        made.append(Kept("the password", vault, timeout=timeout, refresh=refresh))
        return made[-1]

    yield make
    vault.gate.set()
    for one in made:
        one.close()


def rested(secret: Kept[str]) -> None:
    """Until it may ask again."""
    wait_until(lambda: time.monotonic() >= secret._not_before, what="the pause is over", patience=5)


def test_nothing_is_asked_before_it_is_wanted_and_then_once(keep, vault):
    before = threading.active_count()
    secret = keep()
    assert (vault.asked, threading.active_count() - before) == (0, 0)
    assert [secret.current() for _ in range(3)] == ["one"] * 3
    assert vault.asked == 1


def test_many_threads_that_want_it_ask_once(keep, vault):
    secret = keep()
    vault.gate.clear()
    with ThreadPoolExecutor(8) as threads:
        wanted = [threads.submit(secret.current) for _ in range(8)]
        wait_until(lambda: vault.asked == 1, what="the first asks", patience=5)
        vault.gate.set()
        assert [one.result() for one in wanted] == ["one"] * 8
    assert vault.asked == 1


def test_one_that_is_refused_by_many_is_asked_for_once(keep, vault):
    secret = keep()
    secret.current()
    rested(secret)
    vault.holds = "two"
    with ThreadPoolExecutor(8) as threads:
        renewed = list(threads.map(lambda _: secret.renewed("one", patience=5), range(8)))
    assert (renewed, vault.asked, secret.current()) == (["two"] * 8, 2, "two")


def test_one_that_has_been_replaced_already_is_not_asked_for(keep, vault):
    secret = keep()
    assert secret.current() == "one"
    assert (secret.renewed("older", patience=5), vault.asked) == ("one", 1)


def test_one_that_stays_refused_is_asked_for_with_pauses_between(keep, vault, monkeypatch):
    monkeypatch.setattr(kept, "_PAUSE", 30)
    monkeypatch.setattr(kept, "_LONGEST_PAUSE", 30)
    secret = keep()
    secret.current()
    assert {secret.renewed("one", patience=5) for _ in range(100)} == {None}
    assert vault.asked == 1


def test_pauses_grow_while_nothing_is_to_be_had(keep, vault, monkeypatch):
    monkeypatch.setattr(kept, "_LONGEST_PAUSE", 10)
    vault.error = CredentialsUnavailable("closed")
    secret = keep()
    began = time.monotonic()
    while time.monotonic() - began < 0.7:
        with pytest.raises(CredentialsUnavailable, match="the password: closed"):
            secret.current()
        time.sleep(0.01)
    # 0.05, 0.1, 0.2, 0.4 s at most, half of that at least.
    assert 4 <= vault.asked <= 6


def test_while_nothing_is_to_be_had_the_last_one_known_stays(keep, vault, caplog):
    secret = keep(refresh=0.05)
    secret.current()
    vault.error = CredentialsUnavailable("closed")
    wait_until(lambda: vault.asked > 3, what="some polls", patience=5)
    assert secret.current() == "one"
    said = [record.message for record in caplog.records if "cannot be had" in record.message]
    assert said == ["the password cannot be had: closed; the last one known stays in use"], "said once"
    vault.error, vault.holds = None, "two"
    wait_until(lambda: secret.current() == "two", what="the second", patience=5)


def test_a_new_one_is_found_by_polling(keep, vault, caplog):
    caplog.set_level("INFO")
    secret = keep(refresh=0.05)
    assert secret.current() == "one"
    vault.holds = CANARY
    wait_until(lambda: secret.current() == CANARY, what="the new one", patience=5)
    assert "the password has changed" in caplog.text
    assert CANARY not in caplog.text + repr(secret)


def test_polls_of_many_processes_are_spread(keep, vault):
    polls = []
    for _ in range(20):
        secret = keep(refresh=100)
        secret.current()
        polls.append(secret._next_poll - time.monotonic())
    assert min(polls) > 79
    assert max(polls) < 121
    assert max(polls) - min(polls) > 5


def test_nobody_waits_longer_than_told(keep, vault):
    vault.gate.clear()
    secret = keep(timeout=0.2)
    began = time.monotonic()
    with pytest.raises(CredentialsUnavailable, match="no answer yet"):
        secret.current()
    assert 0.15 < time.monotonic() - began < 2
    vault.gate.set()
    wait_until(lambda: secret._known == "one", what="the first is known", patience=5)
    vault.gate.clear()
    rested(secret)
    began = time.monotonic()
    assert secret.renewed("one", patience=0) is None
    assert time.monotonic() - began < 0.1


def test_what_goes_wrong_unexpectedly_is_not_repeated_and_ends_nothing(keep, vault, caplog):
    vault.error = RuntimeError(CANARY)
    secret = keep(timeout=1)
    with pytest.raises(CredentialsUnavailable, match="unexpected RuntimeError") as refused:
        secret.current()
    vault.error = None
    wait_until(lambda: secret._known == "one", what="the first is known", patience=5)
    assert CANARY not in caplog.text + str(refused.value)


def test_a_forked_child_asks_for_itself(keep, vault):
    secret = keep()
    secret.current()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        vault.holds = "of the child"
        os.write(writing, str(secret.renewed("one", patience=5)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"of the child"
    assert secret.current() == "one"
