"""The configuration file as typed settings.

One YAML file, found through ``ORDER_ENTRY_CONFIG`` (else the file that the embedded stack of this checkout
writes, else none), overridden key by key from the environment: ``ORDER_ENTRY__MQ__BATCH_SIZE=50``.
Whatever is not understood is refused with its path and what was expected: see `load`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from orders import durations

BASE_DIR = Path(__file__).resolve().parent.parent
EMBEDDED_DIR = BASE_DIR / ".order-entry"
ENV_PREFIX = "ORDER_ENTRY__"

# The packaged names of what a URL may look like; anything else is a typing error, not a guess to make.
_BROKER_SCHEMES = ("postgresql", "amqp", "amqps")


class ConfigError(Exception):
    """The configuration cannot be used; the message says which key, what it held and what was expected."""


def _seconds(value: Any) -> Any:
    return durations.seconds(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
Name = Annotated[str, Field(min_length=1, max_length=255)]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Service(Section):
    name: Name = Field("order-entry", description="Names this service in logs, queues and host checks.")
    port: int = Field(8081, ge=1, le=65535, description="Port of the API and the console.")
    bind: str | None = Field(
        None, description="Address they listen on; null: 127.0.0.1 with the embedded queue, else all of them."
    )
    replicas: Count = Field(1, description="Informational: how many instances the deployment runs.")
    processes: Count = Field(1, description="Consumer processes in one `consume_orders`.")
    drain_timeout: Seconds = Field(
        25.0, description="How long a stopping worker may finish what is in flight."
    )
    hang_timeout: Seconds = Field(
        30.0, description="Silence of a worker's loop after which its supervisor kills and restarts it."
    )


class Mq(Section):
    broker_url: str = Field(
        "postgresql://",
        description="`amqp(s)://[user:password@]host:port[,host:port…][/vhost]`, or `postgresql://`: the "
        "embedded queue in the order book's own database.",
    )
    username: str | None = Field(None, description="Broker user, where the URL has none.")
    password: SecretStr | None = Field(None, description="Broker password, where the URL has none.")
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
    publish_grace: Seconds = Field(
        2.0, description="How long an acknowledgement waits for the routed copy's confirm."
    )
    republish_after: Seconds = Field(
        30.0, description="How long a publication may stay unconfirmed before it is sent again."
    )
    heartbeat: Annotated[int, BeforeValidator(_seconds), Field(ge=4, le=600)] = Field(
        30, description="AMQP heartbeat, seconds."
    )
    client_cert: Path | None = Field(
        None, description="PEM with certificate and key; setting it turns TLS on for amqp:// too."
    )
    client_key: Path | None = Field(None, description="Key, where client_cert does not hold it.")
    ca_cert: Path | None = Field(None, description="CA that signed the broker; null: the system's.")
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
        if parts.scheme != "postgresql":
            # A port that is no number raises here.
            hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
            if not all(host.hostname and host.port != 0 for host in hosts):
                raise ValueError("expected a host, or several: amqp://host:5672,other:5672")
        return value

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        if len(set(self.queues)) != len(self.queues) or not self.queues:
            raise ValueError("consumer_queue: expected one name, or a list of different names")
        if self.embedded and self.queue_type == "stream":
            raise ValueError("queue_type stream goes with an amqp(s):// broker_url, not with postgresql://")
        if self.producer_queue in self.queues:
            raise ValueError(
                "producer_queue must differ from consumer_queue: routed orders would come back in"
            )
        if self.embedded and self.client_cert:
            raise ValueError("client_cert goes with an amqp(s):// broker_url, not with postgresql://")
        if self.client_key and not self.client_cert:
            raise ValueError("client_key goes with client_cert")
        return self

    @property
    def queues(self) -> list[str]:
        """The names of consumer_queue."""
        return [self.consumer_queue] if isinstance(self.consumer_queue, str) else self.consumer_queue

    @property
    def embedded(self) -> bool:
        return urlsplit(self.broker_url).scheme == "postgresql"

    @property
    def tls(self) -> bool:
        return urlsplit(self.broker_url).scheme == "amqps" or self.client_cert is not None


class Database(Section):
    sql_host: str = Field("127.0.0.1", description="Host name, or the folder of a Unix socket.")
    sql_port: int = Field(5432, ge=1, le=65535, description="Port.")
    sql_database: Name = Field("trading_orders", description="Database.")
    sql_user: Name = Field("order_entry", description="User.")
    sql_password: SecretStr | None = Field(None, description="Password, with credentials_source environment.")
    credentials_source: Literal["environment", "safeguard"] = Field(
        "environment", description="Where user and password come from: this configuration, or Safeguard."
    )
    pool_size: Count = Field(20, description="Most connections of one web process.")
    connection_timeout: Seconds = Field(
        10.0, description="Longest wait for a connection; a worker's own is bounded tighter."
    )


_SEED_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/@]+):([0-9]{1,5})(?::([^\s:]+))?")
_KEY_PATTERN = re.compile(r"[A-Za-z][\w-]{0,62}:.*")


class SeedHost(NamedTuple):
    """A node of an Aerospike cluster; `tls_name` is the name its certificate must bear."""

    host: str
    port: int
    tls_name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host:port` or `host:port:tls-name`. Raises ValueError."""
        match = _SEED_HOST.fullmatch(text)
        if match is None or not 0 < int(match[2]) <= 65535:  # noqa: PLR2004 - ports
            raise ValueError(f"expected host:port or host:port:tls-name, got {text!r}")
        host = match[1].strip("[]")
        return cls(host, int(match[2]), match[3] or host)


class Aerospike(Section):
    seed_hosts: list[str] = Field(
        [],
        description="Nodes to begin with: host:port, or host:port:tls-name where the certificate bears "
        "another name than the host.",
    )
    namespace: Name = Field("orders_ns", max_length=31, description="Namespace of all records.")
    key_pattern: str = Field(
        "orderStatus:{orderId}", description="Key of an order's status document, in whatever store is in use."
    )
    ttl_seconds: Count = Field(
        2_592_000, le=315_360_000, description="Life of a status document, seconds, in any store."
    )
    timeout: Seconds = Field(
        0.5,
        description="Longest wait for one batch; no more than router.timeout and mq.heartbeat / 4 count.",
    )
    client_cert: Path | None = Field(
        None, description="PEM with certificate and key; setting it turns mutual TLS on."
    )
    client_key: Path | None = Field(None, description="Key, where client_cert does not hold it.")
    ca_cert: Path | None = Field(
        None, description="CA that signed the nodes' certificates; null: the system's. Turns TLS on."
    )
    replication_factor: Count = Field(
        2, description="Copies of each record the cluster must keep; preflight warns of fewer."
    )

    @field_validator("seed_hosts")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            SeedHost.parse(text)
        return value

    @field_validator("key_pattern")
    @classmethod
    def _names_the_order(cls, value: str) -> str:
        if value.count("{orderId}") != 1 or not _KEY_PATTERN.fullmatch(value):
            raise ValueError(
                "expected a pattern that holds {orderId} once, after a name and a colon: orderStatus:{orderId}"
            )
        return value

    @model_validator(mode="after")
    def _key_goes_with_certificate(self) -> Self:
        if self.client_key and not self.client_cert:
            raise ValueError("client_key goes with client_cert")
        return self

    @property
    def hosts(self) -> list[SeedHost]:
        return [SeedHost.parse(text) for text in self.seed_hosts]

    @property
    def tls(self) -> bool:
        return bool(self.client_cert or self.ca_cert)


class Redis(Section):
    url: str = Field(
        "redis://127.0.0.1:6379",
        repr=False,
        description="`redis://[user:password@]host:port[/database]`; `rediss://` with TLS.",
    )
    username: str | None = Field(None, description="User, where the URL has none.")
    password: SecretStr | None = Field(None, description="Password, where the URL has none.")
    timeout: Seconds = Field(
        0.5,
        description="Longest wait for one batch; no more than router.timeout and mq.heartbeat / 4 count.",
    )
    client_cert: Path | None = Field(None, description="PEM with certificate and key, shown to the server.")
    client_key: Path | None = Field(None, description="Key, where client_cert does not hold it.")
    ca_cert: Path | None = Field(None, description="CA that signed the server, beside the system's.")

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "url: expected redis://host:port or rediss://host:port, and nothing after the database"
            )
        if parts.port == 0 or not re.fullmatch(r"(/\d*)?", parts.path):
            raise ValueError("url: expected a port and at most the number of a database after the host")
        if parts.scheme == "redis" and (self.client_cert or self.client_key or self.ca_cert):
            raise ValueError("client_cert, client_key and ca_cert go with a rediss:// url")
        if self.client_key and not self.client_cert:
            raise ValueError("client_key goes with client_cert")
        return self


StoreName = Literal["aerospike", "redis", "postgresql"]


class Cache(Section):
    store: StoreName | None = Field(
        None,
        description="Store of the status cache; null: aerospike where it has seed_hosts, else postgresql.",
    )
    max_age: Seconds = Field(
        60.0, description="A cached document of a non-final order older than this counts as a miss."
    )


class Idempotency(Section):
    store: StoreName | None = Field(None, description="Store of the idempotency marks; null: the cache's.")
    ttl: Annotated[int, BeforeValidator(_seconds), Field(ge=1, le=315_360_000)] = Field(
        86_400, description="Life of a mark, seconds."
    )
    epoch: int = Field(
        1, ge=1, description="Part of each mark's key: raise it after restoring SQL from a backup."
    )


class ServiceRegistry(Section):
    endpoint: str = Field("127.0.0.1:8090", description="host:port, or a URL, of the registry.")
    lookup_interval: Seconds = Field(300.0, description="How often the router's endpoint is looked up again.")
    router_service: Name = Field("order-router", description="Name the router is registered under.")
    path: str = Field("/services/{name}", description="Path of a look-up.")
    timeout: Seconds = Field(2.0, description="Longest wait for one answer of the registry.")

    @field_validator("path")
    @classmethod
    def _names_the_service(cls, value: str) -> str:
        if not value.startswith("/") or "{name}" not in value:
            raise ValueError("expected a path that begins with / and holds {name}")
        return value


class Router(Section):
    timeout: Seconds = Field(2.0, description="Longest wait for one answer of the router.")
    max_retries: int = Field(3, ge=0, le=10, description="Calls repeated after the first, within one claim.")
    in_flight: int = Field(64, ge=1, le=10_000, description="Router calls under way at once, per process.")
    honours_idempotency_key: bool = Field(
        default=True,
        description="The router treats a repeated Idempotency-Key as the same request; false: "
        "a call that may have been received is never repeated by the machine.",
    )
    breaker: Count = Field(
        10, description="Failed calls in a row after which no more are made for a while: orders are parked."
    )
    claim: Seconds = Field(30.0, description="How long a process holds an order it is routing.")
    backoff: Seconds = Field(0.1, description="Wait before the first retry; doubles, with jitter.")
    max_backoff: Seconds = Field(300.0, description="Longest wait of a parked order between two routings.")
    retry_interval: Seconds = Field(
        300.0, description="How often `retry_pending_routes --daemon` looks for orders that are due."
    )

    @model_validator(mode="after")
    def _claim_outlives_a_call(self) -> Self:
        if self.claim < 2 * self.timeout:
            raise ValueError(f"claim ({self.claim:g}s) must be at least twice timeout ({self.timeout:g}s)")
        return self


class Logs(Section):
    folder: Path | None = Field(
        None,
        description="Existing folder of order_entry.log, router_calls.log and sql_errors.log; null: none of them, "
        "SQL errors are on the console.",
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level of the console."
    )
    console: Literal["auto", "text", "json"] = Field(
        "auto", description="Lines on the console; auto: text on a terminal, else JSON."
    )

    @field_validator("folder")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("expected an existing folder")
        return value


class Telemetry(Section):
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port on which consume_orders serves /metrics and /health/ready for all its processes; "
        "null: it does not. The API has its own /metrics.",
    )


class Api(Section):
    secret_key: SecretStr | None = Field(
        None, description="Signs sessions; null: a random one per start, which ends all sessions."
    )
    allowed_hosts: list[str] = Field(
        ["127.0.0.1", "localhost", "[::1]"],
        description="Host names the API answers to, beside service.name.",
    )
    https_only: bool = Field(
        default=False, description="Redirect to HTTPS and mark cookies secure (behind a TLS proxy)."
    )


class Config(BaseSettings):
    """All settings; frozen. Sections as in the file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="null",
        validate_default=True,
    )

    service: Service = Service()
    mq: Mq = Mq()
    database: Database = Database()
    aerospike: Aerospike = Aerospike()
    redis: Redis = Redis()
    cache: Cache = Cache()
    idempotency: Idempotency = Idempotency()
    service_registry: ServiceRegistry = ServiceRegistry()
    router: Router = Router()
    logs: Logs = Logs()
    telemetry: Telemetry = Telemetry()
    api: Api = Api()

    @model_validator(mode="after")
    def _aerospike_has_hosts(self) -> Self:
        if "aerospike" in (self.cache_store, self.idempotency_store) and not self.aerospike.seed_hosts:
            raise ValueError(
                "aerospike.seed_hosts: expected at least one host:port: cache.store or idempotency.store is aerospike"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        path = _path()
        if path is None:
            return init_settings, env_settings
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, yaml_file=path)

    @property
    def cache_store(self) -> StoreName:
        return self.cache.store or ("aerospike" if self.aerospike.seed_hosts else "postgresql")

    @property
    def idempotency_store(self) -> StoreName:
        return self.idempotency.store or self.cache_store

    @property
    def bind(self) -> str:
        return self.service.bind or ("127.0.0.1" if self.mq.embedded else "0.0.0.0")

    @property
    def prefetch(self) -> int:
        return self.mq.prefetch or 2 * self.router.in_flight


def load() -> Config:
    """The configuration in force. Raises `ConfigError` with every key at fault."""
    path = _path()
    _refuse_unknown_variables()
    try:
        return Config()
    except ValidationError as error:
        where = path or "the environment"
        lines = [f"  {_key(fault['loc'])}: {_explain(fault)}" for fault in error.errors()]
        raise ConfigError("\n".join([f"The configuration in {where} cannot be used:", *lines])) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable as YAML: {error}") from None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path or 'the environment'}: {error}") from None


def names_nothing() -> bool:
    """Whether neither a file nor a variable says anything: every key has its default."""
    return _path() is None and not _overrides()


def is_embedded_stack() -> bool:
    """Whether the running embedded stack of this checkout is what is configured, and nothing beside it."""
    return _path() == EMBEDDED_DIR / "order-entry.yaml" and not _overrides()


def _overrides() -> list[str]:
    return [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]


def _path() -> Path | None:
    if named := os.environ.get("ORDER_ENTRY_CONFIG"):
        path = Path(named)
        if not path.is_file():
            raise ConfigError(f"ORDER_ENTRY_CONFIG names {path}, which is not a file")
        return path
    embedded = EMBEDDED_DIR / "order-entry.yaml"
    return embedded if embedded.is_file() else None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        if not name.startswith(ENV_PREFIX):
            continue
        section = name[len(ENV_PREFIX) :].split("__")[0].lower()
        if section not in Config.model_fields:
            raise ConfigError(f"{name}: unknown section; there are {', '.join(Config.model_fields)}")


def _key(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(whole file)"


def _explain(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "unknown key"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):
        return str(message)
    # A URL may hold a password.
    secret = any(word in str(part) for part in fault["loc"] for word in ("password", "secret", "url"))
    return str(message) if secret else f"{message}, got {fault['input']!r}"
