"""`manage.py publish_sample_orders`: orders to try the service with."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import closing
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumers import token_policy
from consumers.sample_orders import BLOCK, Mix, Samples, Sign
from consumers.sample_publishing import SamplePublishing
from consumers.token import BadToken
from consumers.transport import Outcome
from consumers.transports import make_transport
from orders.credentials import CredentialsUnavailable
from orders.management.arguments import number
from routing.reactor import Reactor

# Leaves room for a number within the 64 characters an orderId may have.
_is_prefix = re.compile(r"[A-Za-z0-9._:-]{1,48}").fullmatch


def _prefix(text: str) -> str:
    if not _is_prefix(text):
        raise ArgumentTypeError(f"expected 1 to 48 characters of A-Z a-z 0-9 . _ : -, got {text!r}")
    return text


_count = number(int, 0, 10**9, "a whole number from 0")
_share = number(float, 0, 1, "a share from 0 to 1")
_rate = number(float, 0.01, 10**6, "messages a second, from 0.01")


class Command(BaseCommand):
    help = (
        "Publish sample orders into the consumer queue, some repeated, some broken, and await their confirms."
    )
    requires_system_checks = (Tags.compatibility,)  # see RunbookCommand

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("count", type=_count, help="messages in total; 0: without end, until Ctrl-C")
        parser.add_argument(
            "--duplicates", type=_share, default=0.05, help="share of repeated messages (%(default)s)"
        )
        parser.add_argument(
            "--broken", type=_share, default=0.03, help="share of broken messages (%(default)s)"
        )
        parser.add_argument(
            "--avro", type=_share, default=0.0, help="share of the orders in Avro (%(default)s)"
        )
        parser.add_argument(
            "--rate", type=_rate, help="messages a second; none: as fast as they are confirmed"
        )
        parser.add_argument("--seed", type=int, help="the same messages each time, ids and times included")
        parser.add_argument(
            "--prefix", type=_prefix, help="begins each orderId; none: one that is new each time"
        )
        parser.add_argument(
            "--sign",
            action="store_true",
            help="orders with a token by idempotency.signing_key, and a forged one among what is broken",
        )
        parser.add_argument("--queue", help="another queue than mq.consumer_queue")
        parser.add_argument("--json", action="store_true", help="say what was sent as JSON")

    def handle(self, *, count: int, rate: float | None, queue: str | None, **options: Any) -> None:
        if not count and not rate:
            raise CommandError("COUNT 0, without end, needs a --rate")
        try:
            mix = Mix(options["duplicates"], options["broken"], options["avro"])
            mix.numbers(count or BLOCK)
        except ValueError as error:
            raise CommandError(str(error)) from None
        sign = _signing() if options["sign"] else None
        samples = Samples(mix, seed=options["seed"], prefix=options["prefix"], sign=sign)
        queue = queue or settings.CONFIG.mq.queues[0]
        publishing = _publish(samples, count, rate=rate, queue=queue, quiet=options["json"])
        confirmed = publishing.outcomes[Outcome.CONFIRMED]
        if publishing.failure:
            raise CommandError(
                f"{queue}: {publishing.failure} ({confirmed:,} of {count:,} messages are confirmed)"
            )
        if count and confirmed < count:
            raise CommandError(f"{queue}: stopped after {confirmed:,} of {count:,} messages")
        self._tell(samples, publishing.sent, queue, as_json=options["json"])

    def _tell(self, samples: Samples, sent: int, queue: str, *, as_json: bool) -> None:
        counts = samples.counts
        if as_json:
            said = {
                "messages": sent,
                "distinct": counts["order"],
                "duplicates": counts["duplicate"],
                "broken": counts["broken"],
            }
            self.stdout.write(json.dumps(said))
        else:
            self.stdout.write(
                f"{sent:,} messages are in {queue}: {counts['order']:,} orders, "
                f"{counts['duplicate']:,} duplicates, {counts['broken']:,} broken"
            )


def _signing() -> Sign:
    try:
        token_policy.signing_key()
    except (BadToken, CredentialsUnavailable) as error:
        raise CommandError(f"--sign: {error}") from None
    return lambda message, order_id, at: token_policy.signed(message, order_id=order_id, at=at)


def _publish(
    samples: Samples, count: int, *, rate: float | None, queue: str, quiet: bool
) -> SamplePublishing:
    columns = TextColumn("Publishing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
    with progress, closing(Reactor()) as reactor:
        bar = progress.add_task("", total=count or None)
        publishing = SamplePublishing(
            reactor,
            make_transport(reactor, consume=False, publish=True, queue=queue),
            samples.messages(count),
            rate=rate,
            endless=not count,
            on_progress=lambda confirmed: progress.update(bar, completed=confirmed),
        )
        publishing.run()
    return publishing
