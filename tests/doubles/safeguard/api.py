"""The requests that an application makes, and their answers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

if TYPE_CHECKING:
    from tests.doubles.safeguard.appliance import Appliance

_REGISTRATION = 7
_CORE = "/service/core/v4"


class Refused(Exception):
    def __init__(self, status: HTTPStatus, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def appliance(self) -> Appliance:
        return self.server.appliance

    def do_GET(self) -> None:
        self._answer(
            {
                "/service/a2a/v4/Credentials": self._password,
                f"{_CORE}/AuthenticationProviders": self._providers,
                f"{_CORE}/A2ARegistrations": self._registrations,
                f"{_CORE}/A2ARegistrations/{_REGISTRATION}/RetrievableAccounts": self._retrievable,
            }
        )

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length) or b"null")
        self._answer(
            {
                "/RSTS/oauth2/token": self._access_token,
                f"{_CORE}/Token/LoginResponse": self._user_token,
                f"{_CORE}/Token/Logout": self._logout,
            }
        )

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, known: dict[str, Callable[[], Any]]) -> None:
        # The library asks for /RSTS//oauth2/token.
        path = urlsplit(self.path).path.replace("//", "/")
        self.appliance.paths.append(path)
        if self.appliance.hangs_at == "answer":
            self.appliance.released.wait()
        time.sleep(self.appliance.delay)
        if self.appliance.wrong is not None and path.endswith("/Credentials"):
            self.appliance.asked.append("")
            self._send(*self.appliance.wrong)
            return
        try:
            status, document = HTTPStatus.OK, known.get(path, self._unknown)()
        except Refused as refused:
            status = refused.status
            document = {"Code": refused.code, "Message": str(refused), "InnerError": None}
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not self.appliance.drips:
            self.wfile.write(body)
            return
        for byte in body:
            self.wfile.write(bytes([byte]))
            time.sleep(self.appliance.drips)

    def _unknown(self) -> None:
        raise Refused(HTTPStatus.NOT_FOUND, 0, "The requested resource does not exist.")

    def _password(self) -> Any:
        """A bare JSON string. The API key and the certificate must go together."""
        scheme, _, api_key = self.headers.get("Authorization", "").partition(" ")
        self.appliance.asked.append(api_key)
        if parse_qs(urlsplit(self.path).query) != {"type": ["password"]}:
            raise Refused(
                HTTPStatus.BAD_REQUEST, 70000, "The type is not one of password, privatekey, apikey."
            )
        thumbprint = self._certificate()
        for account in self.appliance.accounts:
            if scheme == "A2A" and (account.api_key, account.thumbprint) == (api_key, thumbprint):
                return account.password
        raise Refused(HTTPStatus.FORBIDDEN, 60108, "Authorization has been denied for this request.")

    def _providers(self) -> Any:
        return [
            {"Id": -1, "Name": "Local", "RstsProviderId": "local"},
            {"Id": -2, "Name": "Certificate", "RstsProviderId": "certificate"},
        ]

    def _access_token(self) -> Any:
        thumbprint = self._certificate()
        scope = "rsts:sts:primaryproviderid:certificate"
        if self.body != {"scope": scope, "grant_type": "client_credentials"}:
            raise Refused(HTTPStatus.BAD_REQUEST, 0, "invalid_request")
        return {"access_token": self._token(thumbprint), "token_type": "Bearer", "expires_in": 300}

    def _user_token(self) -> Any:
        thumbprint = self.appliance.tokens.pop(self.body["StsAccessToken"], None)
        if thumbprint is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, 60094, "The access token is not valid.")
        return {"Status": "Success", "UserToken": self._token(thumbprint)}

    def _registrations(self) -> Any:
        self._user()
        return [{"Id": _REGISTRATION, "AppName": "order-entry", "Description": "", "Disabled": False}]

    def _retrievable(self) -> Any:
        thumbprint = self._user()
        return [
            {
                "AccountName": one.name,
                "AssetName": "db.trading.internal",
                "ApiKey": one.api_key,
                "Disabled": False,
            }
            for one in self.appliance.accounts
            if one.thumbprint == thumbprint
        ]

    def _logout(self) -> Any:
        self.appliance.tokens.pop(self._bearer(), None)
        return None

    def _certificate(self) -> str:
        """The thumbprint of the one that the connection showed."""
        shown = self.connection.getpeercert(binary_form=True)
        thumbprint = hashlib.sha1(shown or b"", usedforsecurity=False).hexdigest().upper()
        if thumbprint not in {account.thumbprint for account in self.appliance.accounts}:
            raise Refused(HTTPStatus.UNAUTHORIZED, 60094, "A certificate of a certificate user is required.")
        return thumbprint

    def _token(self, thumbprint: str) -> str:
        token = uuid4().hex
        self.appliance.tokens[token] = thumbprint
        return token

    def _bearer(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _user(self) -> str:
        thumbprint = self.appliance.tokens.get(self._bearer())
        if thumbprint is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, 60108, "Authorization is required for this request.")
        return thumbprint
