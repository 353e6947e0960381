"""What a queue is called at an AMQP 1.0 broker."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import quote

# Of a queue, whether the broker is RabbitMQ.
Address = Callable[[str, bool], str]

_RABBITMQ = "/amq/queue/{queue}"  # one that exists; a plain name it would declare, not durable
_PLAIN = "{queue}"


def addressing(template: str | None) -> Address:
    """By `mq.address`; where that is None, as the broker at hand has it."""
    return partial(_address, template)


def _address(template: str | None, queue: str, is_rabbitmq: bool) -> str:
    name = quote(queue, safe="") if is_rabbitmq else queue
    return (template or (_RABBITMQ if is_rabbitmq else _PLAIN)).format(queue=name)
