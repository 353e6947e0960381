"""The message queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from order_entry_project.config.tls import CaCert, ClientCert, ClientKey, refuse_certificates
from order_entry_project.config.values import Count, Name, Seconds, Section, as_seconds

_BROKER_SCHEMES = ("postgresql", "amqp", "amqps", "amqp10", "amqp10s")
_AMQP10 = ("amqp10", "amqp10s")


class Mq(Section):
    broker_url: str = Field(
        "postgresql://",
        description="`amqp(s)://[user:password@]host:port[,host:port…][/vhost]`, which speaks AMQP 0-9-1 or, where "
        "the broker answers so, 1.0; `amqp10(s)://…`, which speaks 1.0 from the start; or `postgresql://`: the "
        "embedded queue in the order book's own database.",
    )
    username: str | None = Field(None, description="Broker user, where the URL has none.")
    password: SecretStr | None = Field(None, description="Broker password, where the URL has none.")
    password_file: Path | None = Field(
        None, description="File that holds the password, in place of password; read again when it changes."
    )
    consumer_queue: Name | list[Name] = Field(
        "TRADE.VALIDATED.ORDERS",
        description="Queue the orders come from. Several, or a stream, are partitions, which the members of "
        "consumer_group share out among themselves.",
    )
    producer_queue: Name | None = Field(
        "TRADE.ROUTED.ORDERS", description="Queue routed orders are published to; null: none are."
    )
    consumer_group: Name = Field(
        "order-entry-consumer-group",
        description="Name the consumers of one group share: at the broker, of partitions and of offsets.",
    )
    batch_size: int = Field(200, ge=1, le=10_000, description="Most orders written by one SQL statement.")
    max_retries: int = Field(
        3, ge=1, le=100, description="Tries before a message that cannot be stored is quarantined."
    )
    prefetch: Count | None = Field(
        None, le=65535, description="Unacknowledged messages held at once; null: twice router.in_flight."
    )
    queue_type: Literal["classic", "quorum", "stream"] = Field(
        "quorum",
        description="Type of the queues declared. stream: consumer_queue is read from the group's offset; "
        "producer_queue is a quorum queue.",
    )
    declare: bool = Field(
        default=False, description="Declare the queues at start; false: they must exist, checked passively."
    )
    address: str | None = Field(
        None,
        description="Over AMQP 1.0: the address of a queue, with `{queue}` for its name. null: `{queue}`, at RabbitMQ "
        "`/amq/queue/{queue}`.",
    )
    publish_grace: Seconds = Field(
        2.0, description="How long an acknowledgement waits for the routed copy's confirm."
    )
    republish_after: Seconds = Field(
        30.0, description="How long a publication may stay unconfirmed before it is sent again."
    )
    heartbeat: Annotated[int, Field(ge=4, le=600), BeforeValidator(as_seconds)] = Field(
        30, description="AMQP heartbeat, in whole seconds."
    )
    client_cert: ClientCert = Field(
        None, description="PEM with certificate and key; setting it turns TLS on for amqp:// too."
    )
    client_key: ClientKey = None
    ca_cert: CaCert = None
    avro_schemas: Path | None = Field(
        None, description="Folder of further writers' .avsc files, beside those the service ships."
    )

    @field_validator("broker_url")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in _BROKER_SCHEMES:
            raise ValueError(f"expected a URL that begins with one of {', '.join(_BROKER_SCHEMES)}://")
        if parts.query or parts.fragment:
            raise ValueError(
                "expected nothing after the virtual host: what else there is to set has its own key"
            )
        # A port that is no number raises here.
        named = parts.scheme == "postgresql" or all(
            one.hostname and one.port != 0 for one in _addresses(value)
        )
        if not named:
            raise ValueError("expected a host, or several: amqp://host:5672,other:5672")
        return value

    @field_validator("address")
    @classmethod
    def _names_the_queue(cls, value: str | None) -> str | None:
        if value is None:
            return value
        before, name, after = value.partition("{queue}")
        if not name or set("{}") & set(before + after):
            raise ValueError("expected {queue} in it, once, and no other braces: /amq/queue/{queue}")
        return value

    @model_validator(mode="after")
    def _queues_differ(self) -> Self:
        if len(set(self.queues)) != len(self.queues) or not self.queues:
            raise ValueError("consumer_queue: expected one name, or a list of different names")
        if self.producer_queue in self.queues:
            raise ValueError(
                "producer_queue must differ from consumer_queue: routed orders would come back in"
            )
        return self

    @model_validator(mode="after")
    def _protocol_has_means_for_it(self) -> Self:
        if self.embedded and self.queue_type == "stream":
            raise ValueError("queue_type stream goes with an amqp(s):// broker_url, not with postgresql://")
        if urlsplit(self.broker_url).scheme in _AMQP10 and (self.queue_type == "stream" or self.declare):
            raise ValueError(
                "queue_type stream and declare go with an amqp(s):// broker_url: AMQP 1.0 has no means for either"
            )
        return self

    @model_validator(mode="after")
    def _certificates_fit(self) -> Self:
        if self.embedded:
            refuse_certificates(self, unless="an amqp(s):// broker_url, not with postgresql://")
        elif not self.tls:
            refuse_certificates(self, unless="an amqps:// broker_url, or a client_cert")
        return self

    @model_validator(mode="after")
    def _password_has_one_source(self) -> Self:
        if self.password and self.password_file:
            raise ValueError("expected password or password_file, not both")
        if self.password_file and self.username is None:
            raise ValueError("password_file goes with username")
        return self

    @property
    def queues(self) -> list[str]:
        """The names of consumer_queue."""
        return [self.consumer_queue] if isinstance(self.consumer_queue, str) else self.consumer_queue

    @property
    def addresses(self) -> list[SplitResult]:
        """`hostname` and `port` of each broker."""
        return _addresses(self.broker_url)

    @property
    def embedded(self) -> bool:
        return urlsplit(self.broker_url).scheme == "postgresql"

    @property
    def tls(self) -> bool:
        return urlsplit(self.broker_url).scheme in ("amqps", "amqp10s") or self.client_cert is not None


def _addresses(broker_url: str) -> list[SplitResult]:
    return [urlsplit(f"//{host}") for host in urlsplit(broker_url).netloc.rpartition("@")[2].split(",")]
