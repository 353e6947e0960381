"""Marks of what was dealt with, and the tokens on messages that show who sent them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from consumers.token import KEY_ID, SMALLEST_KEY
from order_entry_project.config.stores import StoreName
from order_entry_project.config.values import Seconds, Section, as_seconds


def _strong(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if len(key.encode()) < SMALLEST_KEY:
        raise ValueError(
            f"expected a key of at least {SMALLEST_KEY} bytes, as `openssl rand -hex {SMALLEST_KEY}` makes"
        )
    if key.strip() != key:
        raise ValueError("expected a key without white space around it")
    return value


KeyId = Annotated[str, Field(pattern=f"^{KEY_ID}$")]
TokenKey = Annotated[SecretStr, AfterValidator(_strong)]


class Idempotency(Section):
    store: StoreName | None = Field(None, description="Store of the idempotency marks; null: the cache's.")
    ttl: Annotated[int, Field(ge=1, le=315_360_000), BeforeValidator(as_seconds)] = Field(
        86_400, description="Life of a mark, in whole seconds."
    )
    epoch: int = Field(
        1, ge=1, description="Part of each mark's key: raise it after restoring SQL from a backup."
    )
    require_token: bool = Field(
        default=False,
        description="Quarantine messages without x-idempotency-token; false: it is checked where there is one.",
    )
    max_message_age: Seconds | None = Field(
        None,
        description="Age by its token at which a message is quarantined, unless its order is in the book already; "
        "null: none.",
    )
    token_keys: dict[KeyId, TokenKey] = Field(
        {},
        description="Key id → key of the tokens on messages, text of at least 32 bytes; several while they rotate. "
        "A variable holds them as JSON and adds to those of the file.",
    )
    credentials_source: Literal["environment", "file", "safeguard"] = Field(
        "environment",
        description="Where token keys come from: this configuration, token_keys_file, or Safeguard "
        "(safeguard.token_api_key). The last two may change while the service runs.",
    )
    token_keys_file: Path | None = Field(
        None, description="File that holds token_keys as JSON; read again when it changes."
    )
    signing_key: KeyId | None = Field(
        None, description="Id of the token key this service signs with; null: the only one."
    )

    @model_validator(mode="after")
    def _keys_have_one_source(self) -> Self:
        if (self.credentials_source == "file") != (self.token_keys_file is not None):
            raise ValueError("token_keys_file: expected a file with credentials_source file, and only then")
        if self.credentials_source != "environment" and self.token_keys:
            raise ValueError("token_keys go with credentials_source environment")
        return self

    @model_validator(mode="after")
    def _keys_fit_what_is_asked(self) -> Self:
        if self.credentials_source != "environment":
            return self
        keys = self.token_keys
        for name in ("require_token", "max_message_age", "signing_key"):
            if getattr(self, name) and not keys:
                raise ValueError(f"{name} goes with token_keys: without a key no token can be verified")
        if len({key.get_secret_value() for key in keys.values()}) < len(keys):
            raise ValueError("token_keys: expected a different key for each id")
        if len(keys) > 1 and self.signing_key is None:
            raise ValueError(f"signing_key: expected which of several token_keys signs: {', '.join(keys)}")
        if self.signing_key and self.signing_key not in keys:
            raise ValueError(f"signing_key is {self.signing_key}; expected one of {', '.join(keys)}")
        return self
