"""The SASL layer of a connection, from the server's side: PLAIN and ANONYMOUS, never EXTERNAL."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from proton import Data, symbol

HEADER = b"AMQP\x03\x01\x00\x00"
_MECHANISMS, _INIT, _OUTCOME = 0x40, 0x41, 0x44
_OK, _AUTH = 0, 1
_SASL_FRAME = 1


class Refused(Exception):
    """The client is not let in; it has been told, where there was a way to."""


class Handshake:
    """Fed what the client says, gives what to answer. `done`: the client is `user` by `mechanism`.

    `users`: passwords by name. Without `anonymous` only they are let in.
    """

    def __init__(self, users: Mapping[str, str], *, anonymous: bool) -> None:
        self._users = users
        self._mechanisms = ["PLAIN", *(["ANONYMOUS"] if anonymous else [])]
        self._greeted = False
        self.answer = b""
        self.done = False
        self.user: str | None = None
        self.mechanism = ""

    def feed(self, said: bytes) -> bytes:
        """What is left of `said` for the layer above or for later. Raises `Refused`."""
        if not self._greeted:
            if len(said) < len(HEADER):
                return said
            self._greeted = True
            if not said.startswith(HEADER):
                # Of AMQP 0-9-1, or of 1.0 without SASL: this says what is spoken here.
                self.answer += HEADER
                raise Refused(f"it began with {said[:8]!r}")
            said = said[len(HEADER) :]
            listed = _frame(_MECHANISMS, [[symbol(name) for name in self._mechanisms]])
            self.answer += HEADER + listed
        if len(said) >= 4:
            (size,) = struct.unpack_from(">I", said)
            if len(said) >= size:
                self._let_in(said[said[4] * 4 : size])
                return said[size:]
        return said

    def _let_in(self, frame: bytes) -> None:
        data = Data()
        data.decode(frame)
        data.rewind()
        data.next()
        init = data.get_py_described()
        if init.descriptor != _INIT:
            raise Refused(f"expected sasl-init, got {init}")
        mechanism, response = str(init.value[0]), bytes(init.value[1] or b"")
        known = mechanism in self._mechanisms
        if known and mechanism == "PLAIN":
            _, user, password = (part.decode() for part in response.split(b"\0", 2))
            known = self._users.get(user) == password
            self.user = user
        if not known:
            self.answer += _frame(_OUTCOME, [_AUTH])
            raise Refused(f"{mechanism} {self.user or ''}")
        self.mechanism = mechanism
        self.answer += _frame(_OUTCOME, [_OK])
        self.done = True


def _frame(code: int, fields: list[object]) -> bytes:
    data = Data()
    data.put_described()
    data.enter()
    data.put_ulong(code)
    data.put_list()
    data.enter()
    for field in fields:
        if isinstance(field, list):
            data.put_array(False, Data.SYMBOL)
            data.enter()
            for name in field:
                data.put_symbol(name)
            data.exit()
        else:
            data.put_ubyte(field)
    body = data.encode()
    return struct.pack(">IBBH", 8 + len(body), 2, _SASL_FRAME, 0) + body
