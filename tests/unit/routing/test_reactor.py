"""Signals reach the loop, however many and in the midst of whatever."""

import os
import signal
import threading

import pytest

from routing.reactor import Reactor


@pytest.fixture
def reactor():
    loop = Reactor()
    yield loop
    loop.close()


def test_a_storm_of_signals_while_the_loop_is_being_woken_all_the_time_holds_nothing_up(reactor):
    seen = []
    stormy = threading.Event()

    def on_signal():
        seen.append(1)
        if len(seen) == 500:
            stormy.set()
            reactor.stop()

    def wake():
        reactor.add_callback_threadsafe(lambda: None)
        reactor.call_later(0, wake)

    def storm():
        while not stormy.is_set():
            os.kill(os.getpid(), signal.SIGUSR1)

    with reactor.on_signals({signal.SIGUSR1}, on_signal):
        reactor.call_later(0, wake)
        reactor.call_later(20, lambda: reactor.fail(AssertionError(f"only {len(seen)} came")))
        shooting = threading.Thread(target=storm)
        shooting.start()
        reactor.run()
        stormy.set()
        shooting.join()
    assert len(seen) >= 500


def test_a_signal_that_comes_before_the_loop_turns_is_not_lost_and_others_are_none_of_its_business(reactor):
    seen = []
    before = signal.getsignal(signal.SIGUSR1)
    other = signal.signal(signal.SIGUSR2, lambda *_: seen.append("other's own handler"))
    try:
        with reactor.on_signals({signal.SIGUSR1}, lambda: seen.append("ours")):
            os.kill(os.getpid(), signal.SIGUSR2)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert seen == ["other's own handler"]
            reactor.call_later(0.1, reactor.stop)
            reactor.run()
    finally:
        signal.signal(signal.SIGUSR2, other)
    assert seen == ["other's own handler", "ours"]
    assert signal.getsignal(signal.SIGUSR1) is before
    assert signal.set_wakeup_fd(-1) == -1


def test_an_error_in_a_callback_ends_the_loop_loudly(reactor):
    def fail():
        raise ZeroDivisionError

    with reactor.on_signals({signal.SIGUSR1}, fail):
        os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(ZeroDivisionError):
            reactor.run()
