"""The source of each secret, as the configuration says. Nothing is read or asked for before it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import SecretStr, TypeAdapter, ValidationError

from order_entry_project import redaction
from order_entry_project.config.idempotency import KeyId, TokenKey
from order_entry_project.secrets.file import InFiles
from order_entry_project.secrets.fixed import Fixed
from order_entry_project.secrets.kept import Kept
from orders.credentials import CredentialsUnavailable, Login, Source

if TYPE_CHECKING:
    from order_entry_project.config import Config, Safeguard

T = TypeVar("T")
TokenKeys = Mapping[str, bytes]
_token_keys = TypeAdapter(dict[KeyId, TokenKey])


@dataclass(slots=True, frozen=True)
class Credentials:
    """`mq`: None where the broker's URL or the certificate says who this is. `token_keys`: key id → key.

    `registry`: None where it asks for no token.
    """

    sql: Source[Login]
    mq: Source[Login] | None
    token_keys: Source[TokenKeys]
    registry: Source[str] | None


def credentials(config: Config) -> Credentials:
    return Credentials(_sql(config), _mq(config), _keys(config), _registry(config))


def _sql(config: Config) -> Source[Login]:
    database, name = config.database, "the database's login"
    match database.credentials_source:
        case "environment":
            return Fixed(Login(database.user, _text(database.sql_password)))
        case "safeguard":
            api_key = _text(config.safeguard.sql_api_key)
            return _fetched(config.safeguard, name, _login(config.safeguard, api_key, database.sql_user))
        case "file":
            files = [file for file in (database.sql_password_file, database.sql_user_file) if file]

            def login(texts: Sequence[str]) -> Login:
                password, *user = texts
                return Login(user[0] if user else database.user, password)

            return InFiles(name, files, login, learned=redaction.hide)


def _mq(config: Config) -> Source[Login] | None:
    mq, name = config.mq, "the broker's password"
    user = mq.username
    if user is None:
        return None
    if mq.password_file:
        return InFiles(name, [mq.password_file], lambda texts: Login(user, texts[0]), learned=redaction.hide)
    if api_key := _text(config.safeguard.mq_api_key):
        return _fetched(config.safeguard, name, _login(config.safeguard, api_key, user))
    return Fixed(Login(user, _text(mq.password)))


def _keys(config: Config) -> Source[TokenKeys]:
    idempotency, name = config.idempotency, "the token keys"
    if file := idempotency.token_keys_file:
        return InFiles(name, [file], lambda texts: _keys_in(texts[0]), learned=redaction.hide)
    if idempotency.credentials_source == "environment":
        keys = idempotency.token_keys.items()
        return Fixed({kid: key.get_secret_value().encode() for kid, key in keys})
    login = _login(config.safeguard, _text(config.safeguard.token_api_key), name)

    def fetch() -> TokenKeys:
        try:
            return _keys_in(login().password)
        except ValueError as error:
            raise CredentialsUnavailable(f"what Safeguard holds: {error}") from None

    return _fetched(config.safeguard, name, fetch)


def _registry(config: Config) -> Source[str] | None:
    section = config.service_registry
    if section.token_file:
        return InFiles("the registry's token", [section.token_file], _header_value, learned=redaction.hide)
    return Fixed(_header_value([_text(section.token)])) if section.token else None


def _header_value(texts: Sequence[str]) -> str:
    """Raises `ValueError`, which does not hold the text."""
    (text,) = texts
    if not text.isascii() or not text.isprintable() or text != text.strip():
        raise ValueError("expected a token of visible ASCII characters")
    return text


def _fetched(section: Safeguard, name: str, fetch: Callable[[], T]) -> Source[T]:
    return Kept(name, fetch, timeout=section.timeout, refresh=section.refresh_interval)


def _login(section: Safeguard, api_key: str, user: str | None) -> Callable[[], Login]:
    """Asks Safeguard for it; without `user`, the first time, for the name of the account as well."""
    found = user

    def fetch() -> Login:
        from order_entry_project.secrets.safeguard import SafeguardA2A

        nonlocal found
        vault = SafeguardA2A(section)
        found = found or vault.account(api_key)
        password = vault.password(api_key)
        redaction.hide(password)
        return Login(found, password)

    return fetch


def _keys_in(text: str) -> TokenKeys:
    """Raises `ValueError`, which does not hold the text."""
    try:
        keys = _token_keys.validate_json(text)
    except ValidationError as error:
        reasons = "; ".join(
            str(fault["msg"]) for fault in error.errors(include_input=False, include_context=False)
        )
        raise ValueError(
            f"expected a JSON object, key id → key of at least 32 bytes: {reasons:.300}"
        ) from None
    for key in keys.values():
        redaction.hide(key.get_secret_value())
    return {kid: key.get_secret_value().encode() for kid, key in keys.items()}


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
