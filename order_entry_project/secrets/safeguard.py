"""Passwords from One Identity Safeguard, which gives them to who shows this application's certificate (A2A).

Note on the library: its A2A context waits five minutes for each answer and takes any JSON for a password
(pysafeguard 8.2.1). So passwords are asked for through its client, which can be bounded, and only the search for an
account goes through the context. Proxies and .netrc of the environment are not used: these would replace the API key.
"""

from __future__ import annotations

import hmac
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pysafeguard.auth
import requests
from pysafeguard import A2AContext, A2AType, HttpMethod, SafeguardClient, SafeguardError, Service
from urllib3.exceptions import HTTPError

from orders.credentials import CredentialsUnavailable
from orders.tls import TlsFiles

if TYPE_CHECKING:
    from order_entry_project.config import Safeguard

_MOST_BYTES = 64 * 1024  # of an answer
_CHUNK = 4096
_LONGEST_REASON = 300  # characters


class _Client(SafeguardClient):
    def __init__(self, section: Safeguard) -> None:
        super().__init__(
            section.host or "",
            verify=TlsFiles.of(section).authorities or True,
            api_version=section.api_version,
            timeout=section.timeout,  # type: ignore[arg-type] # requests takes fractions
            min_tls_version=ssl.TLSVersion.TLSv1_2,
        )
        self._session.trust_env = False
        self._session.max_redirects = 0


class _Context(A2AContext):
    def __init__(self, client: _Client, certificate: tuple[str, str]) -> None:
        super().__init__(client.host, *certificate)
        self._conn = client

    def close(self) -> None:
        self._conn.logout()
        super().close()


class SafeguardA2A:
    """The appliance of the section `safeguard`. Each question opens a connection and reads the certificate anew.

    The methods raise `CredentialsUnavailable`, which holds no secret.
    """

    def __init__(self, section: Safeguard) -> None:
        self._section = section
        certificate = str(section.client_cert)
        self._certificate = certificate, str(section.client_key or certificate)

    def password(self, api_key: str) -> str:
        """Of the account that `api_key` opens."""
        with self._explained(), _Client(self._section) as client:
            answer = client.stream(
                HttpMethod.GET,
                Service.A2A,
                "Credentials",
                params={"type": A2AType.PASSWORD},
                headers={"authorization": f"A2A {api_key}"},
                cert=self._certificate,
            )
            with answer:
                return _password(answer.status_code, self._body(answer))

    def account(self, api_key: str) -> str:
        """The name of the account that `api_key` opens."""
        # What the library grants its first question, whatever its client is told.
        pysafeguard.auth._PROVIDER_TIMEOUT = self._section.timeout  # type: ignore[assignment] # noqa: SLF001
        with self._explained(), _Context(_Client(self._section), self._certificate) as context:
            accounts = context.get_retrievable_accounts()
            for account in accounts:
                if hmac.compare_digest(str(account.get("ApiKey")).encode(), api_key.encode()):
                    return str(account["AccountName"])
        raise CredentialsUnavailable(
            f"Safeguard {self._section.host} names {len(accounts)} retrievable accounts, none of them with this API key"
        )

    def _body(self, answer: requests.Response) -> bytes:
        """The deadline is looked at between reads: requests' own timeout is for each."""
        deadline = time.monotonic() + self._section.timeout
        body = bytearray()
        while chunk := answer.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError(f"not complete within {self._section.timeout:g} s")
            if len(body) > _MOST_BYTES:
                raise OSError(f"more than {_MOST_BYTES} bytes")
        return bytes(body)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SafeguardError as error:
            status = error.status_code or HTTPStatus.OK
            raise self._unavailable(_refusal(status, error.error_message or "")) from None
        except _Refused as error:
            raise self._unavailable(str(error)) from None
        except (OSError, HTTPError) as error:
            wrapped = error.args[0] if error.args else None
            raise self._unavailable(f"gave no answer: {getattr(wrapped, 'reason', error)}") from None
        except (TypeError, AttributeError, KeyError) as error:
            # What the library makes of an answer that is not of this API.
            raise self._unavailable(f"did not answer as its API does: {type(error).__name__}") from None

    def _unavailable(self, reason: str) -> CredentialsUnavailable:
        return CredentialsUnavailable(f"Safeguard {self._section.host} {reason:.{_LONGEST_REASON}}")


class _Refused(Exception):
    pass


def _password(status: int, body: bytes) -> str:
    """The bare JSON string in `body`, of which no error says anything."""
    try:
        answer: Any = json.loads(body)
    except ValueError:
        answer = None
    if status != HTTPStatus.OK:
        message = answer.get("Message") if isinstance(answer, dict) else None
        raise _Refused(_refusal(status, str(message or "")))
    if not isinstance(answer, str) or not answer or "\0" in answer:
        raise _Refused("did not answer as its API does: expected a JSON string that is a password")
    return answer


def _refusal(status: int, message: str) -> str:
    hint = ""
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = " (it does not know the API key or the client certificate, or they do not go together)"
    return f"answered {status} {message}".strip() + hint
