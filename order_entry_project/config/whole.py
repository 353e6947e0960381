"""All sections as one."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from order_entry_project.config import place
from order_entry_project.config.api import Api
from order_entry_project.config.console import Console
from order_entry_project.config.database import Database
from order_entry_project.config.idempotency import Idempotency
from order_entry_project.config.limits import Limits
from order_entry_project.config.logs import Logs
from order_entry_project.config.mq import Mq
from order_entry_project.config.overheard import overheard
from order_entry_project.config.registry import ServiceRegistry
from order_entry_project.config.router import Router
from order_entry_project.config.safeguard import Safeguard
from order_entry_project.config.service import Service
from order_entry_project.config.stores import Aerospike, Cache, Redis, StoreName
from order_entry_project.config.telemetry import Telemetry


class Config(BaseSettings):
    """All settings; frozen. Sections as in the file."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix=place.ENV_PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="null",
        validate_default=True,
    )

    # Django's settings ask whatever they hold for this, at each look; pydantic takes long to say that it is not there.
    _mask_wrapped: ClassVar[bool] = True

    service: Service = Service()
    mq: Mq = Mq()
    database: Database = Database()
    safeguard: Safeguard = Safeguard()
    aerospike: Aerospike = Aerospike()
    redis: Redis = Redis()
    cache: Cache = Cache()
    idempotency: Idempotency = Idempotency()
    service_registry: ServiceRegistry = ServiceRegistry()
    router: Router = Router()
    limits: Limits = Limits()
    logs: Logs = Logs()
    telemetry: Telemetry = Telemetry()
    api: Api = Api()
    console: Console = Console()

    @model_validator(mode="after")
    def _aerospike_has_hosts(self) -> Self:
        if "aerospike" in (self.cache_store, self.idempotency_store) and not self.aerospike.seed_hosts:
            raise ValueError(
                "aerospike.seed_hosts: expected at least one host:port: cache.store or idempotency.store is aerospike"
            )
        return self

    @model_validator(mode="after")
    def _each_secret_has_one_source(self) -> Self:
        if self.safeguard.mq_api_key and (self.mq.password or self.mq.password_file):
            raise ValueError("expected mq.password, mq.password_file or safeguard.mq_api_key, one of them")
        if self.safeguard.mq_api_key and self.mq.username is None:
            raise ValueError("mq.username: expected the user whose password safeguard.mq_api_key opens")
        return self

    @model_validator(mode="after")
    def _secrets_are_not_overheard(self) -> Self:
        found = [] if self.service.plain_text_credentials else list(overheard(self))
        if found:
            raise ValueError(
                f"{'; '.join(found)}: it would cross the network in clear. "
                "Set service.plain_text_credentials where the network encrypts by itself"
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
        path = place.path()
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
        local = self.mq.embedded
        return self.service.bind or ("127.0.0.1" if local else "0.0.0.0")  # nosec: B104 - a deployment serves others

    @property
    def prefetch(self) -> int:
        return self.mq.prefetch or 2 * self.router.in_flight
