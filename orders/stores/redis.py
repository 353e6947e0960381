"""Redis as the store: a hash per record, its time to live Redis's own.

Note on scripts: a batch is one call of one Lua script over all its keys, hence one round trip, and what it
compares nobody else changes meanwhile. Reading answers with what there is alone: most marks that are asked for are
not there, and an answer to each costs the client more than asking. All keys of a script must live on one node, so
this is for a single Redis (with replicas, if need be), not for a Redis Cluster.

Note on time: connecting and each answer may take half of the timeout, so that a server which hangs anywhere
costs at most the whole. Nothing is tried twice: the caller has SQL.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from orders.stores.port import Bins, Read, Record, RecordsRefused, StoreUnavailable

# Each key's record: version, milliseconds to live (0: for ever), bins by name. All of them in one argument: packing
# thousands of arguments costs the client more than the server's whole work.
# A key that holds something else than a record is refused, which must not stop its neighbours.
_WRITE = """
local refused = {}
for index, record in ipairs(cmsgpack.unpack(ARGV[1])) do
    local key, version, ttl, bins = KEYS[index], record[1], record[2], record[3]
    local known = redis.pcall('HGET', key, 'version')
    if type(known) == 'table' then
        refused[#refused + 1] = key .. ': ' .. known.err
    elseif not known or (tonumber(known) or 0) <= version then
        if known then redis.call('DEL', key) end
        local named = {}
        for name, value in pairs(bins) do
            named[#named + 1] = name
            named[#named + 1] = value
        end
        redis.call('HSET', key, unpack(named))
        if ttl > 0 then redis.call('PEXPIRE', key, ttl) end
    end
end
return refused
"""
# The number of each key that holds a record, and that. A key that holds something else is as good as absent.
_READ = """
local found = {}
for index, key in ipairs(KEYS) do
    local bins = redis.pcall('HGETALL', key)
    if bins.err then
        if string.sub(bins.err, 1, 9) ~= 'WRONGTYPE' then return bins end
    elseif #bins > 0 then
        found[#found + 1] = {index, bins}
    end
end
return found
"""


class RedisStore:
    """`url`: redis:// or rediss://; `timeout` in seconds. Safe to share among threads; connects when used."""

    name = "redis"

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        username: str | None = None,
        password: str | None = None,
        ca_cert: Path | None = None,
        client_cert: Path | None = None,
        client_key: Path | None = None,
    ) -> None:
        options: dict[str, Any] = {
            "socket_connect_timeout": timeout / 2,
            "socket_timeout": timeout / 2,
            "retry": Retry(NoBackoff(), 0),
            "decode_responses": True,
            # Foreign bytes under a key of ours are no reason to fail.
            "encoding_errors": "replace",
            # RESP2 without a client name: without TLS nothing is exchanged before the first command.
            "protocol": 2,
            "driver_info": None,
        }
        options |= {"username": username} if username else {}
        options |= {"password": password} if password else {}
        if url.startswith("rediss:"):
            options |= {"ssl_ca_certs": ca_cert, "ssl_certfile": client_cert, "ssl_keyfile": client_key}
            # A server sends TLS 1.3's session tickets after the handshake, at any time; the pool takes a connection
            # on which something waits to be read for a broken one. With a name there is an answer to read at once,
            # and the tickets with it.
            options |= {"client_name": "order-entry", "ssl_min_version": ssl.TLSVersion.TLSv1_2}
        self._client = redis.Redis(connection_pool=redis.ConnectionPool.from_url(url, **options))
        self._write = self._client.register_script(_WRITE)
        self._read = self._client.register_script(_READ)

    def write(self, records: Sequence[Record]) -> None:
        if not records:
            return
        packed = msgspec.msgpack.encode([_packed(record) for record in records])
        with _explained():
            refused = self._write(keys=[record.key for record in records], args=[packed])
        if refused:
            raise RecordsRefused(f"Redis: {len(refused)} of {len(records)} not written: {refused[0]}")

    def read(self, keys: Sequence[str]) -> dict[str, Read]:
        if not keys:
            return {}
        with _explained():
            found = self._read(keys=keys)
        return {keys[number - 1]: dict(zip(bins[::2], bins[1::2], strict=True)) for number, bins in found}

    def remove(self, keys: Sequence[str]) -> None:
        if keys:
            with _explained():
                self._client.delete(*keys)

    def ping(self) -> None:
        with _explained():
            self._client.ping()

    def check(self) -> list[str]:
        """Nothing needs setting up; only that it answers."""
        self.ping()
        return []

    def close(self) -> None:
        self._client.close()


def _packed(record: Record) -> tuple[int, int, Bins]:
    return record.version, 0 if record.ttl is None else record.ttl * 1000, record.stored


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise StoreUnavailable(f"Redis: {error}") from error
