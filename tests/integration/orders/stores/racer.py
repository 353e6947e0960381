"""Processes that write versions 1 to N of each key, each in an order of its own: `racer RACERS N KEY…`.

Every version names its writer, so that a record whose bins do not belong together would show.
"""

import multiprocessing
import random
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402 - after the settings are there

from orders.stores.choice import open_store  # noqa: E402
from orders.stores.port import Record  # noqa: E402
from orders.stores.postgresql import run_in_django  # noqa: E402


def race(seed: int, newest: int, keys: list[str]) -> None:
    store = open_store(settings.CONFIG.cache_store, run=run_in_django)
    versions = list(range(1, newest + 1))
    random.Random(seed).shuffle(versions)  # noqa: S311 - an order, no secret
    for version in versions:
        store.write([Record(key, {"status": f"{version} by {seed}"}, version, None) for key in keys])
    store.close()


def main() -> None:
    racers, newest, *keys = sys.argv[1:]
    # Forked off one that has loaded everything: they are at the start together.
    fork = multiprocessing.get_context("fork").Process
    processes = [fork(target=race, args=(seed, int(newest), keys)) for seed in range(int(racers))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(any(process.exitcode for process in processes))


if __name__ == "__main__":
    main()
