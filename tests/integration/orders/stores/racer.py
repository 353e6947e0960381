"""A process that writes versions 1 to N of each key, in an order of its own: `racer SEED N KEY…`.

Every version names its writer, so that a record whose bins do not belong together would show.
"""

import random
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402 - after the settings are there

from orders.stores.choice import open_store  # noqa: E402
from orders.stores.port import Record  # noqa: E402
from orders.stores.postgresql import run_in_django  # noqa: E402


def main() -> None:
    seed, newest, *keys = sys.argv[1:]
    store = open_store(settings.CONFIG.cache_store, run=run_in_django)
    versions = list(range(1, int(newest) + 1))
    random.Random(seed).shuffle(versions)  # noqa: S311 - an order, no secret
    for version in versions:
        store.write([Record(key, {"status": f"{version} by {seed}"}, version, None) for key in keys])
    store.close()


if __name__ == "__main__":
    main()
