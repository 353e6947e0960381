"""Aerospike as the store: a record per key, in the set that the key's prefix names, its life Aerospike's own.

Note on results: a batch raises for bad arguments only. It is done where its own result is 0 or -16 and each
record's says so; with any other result the records' own mean nothing (with no node left they read 0). A write
that is filtered out met a newer version, a read or removal that finds nothing is an answer: neither failed.

Note on time: the client connects on a thread of its own, so that seeds and peers that do not answer cost a
caller no more than its timeout; they are tried again behind the scenes, about once a second, for as long as
the process lives. A node that fails is passed over for the one that holds the copy, within the same timeout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from ssl import get_default_verify_paths
from typing import Any

import aerospike
from aerospike import exception
from aerospike_helpers import expressions
from aerospike_helpers.batch.records import BatchRecord, BatchRecords, Remove, Write
from aerospike_helpers.operations import operations

from orders.stores import port
from orders.stores.aerospike_client import OpenClient
from orders.stores.aerospike_log import recent_complaints
from orders.stores.port import Record, RecordsRefused, StoreUnavailable

_OK, _NOT_FOUND, _TIMEOUT, _CLUSTER, _OVERLOADED, _FILTERED_OUT = 0, 2, 9, 11, 18, 27
_BAD_ARGUMENT, _SOME_RECORDS_FAILED = -2, -16
_NAMES = {
    kind.code: name for name, kind in vars(exception).items() if isinstance(getattr(kind, "code", None), int)
}


Ask = Callable[[aerospike.Client, dict[str, Any]], BatchRecords]


class AerospikeStore:
    """`hosts`: (host, port) or, over TLS, (host, port, tls name); `tls`: the client's own settings for it.

    `timeout` in seconds, for each call. Safe to share among threads. Connects when first used, which must be
    after a fork.
    """

    name = "aerospike"

    def __init__(
        self,
        hosts: Sequence[tuple[str, int] | tuple[str, int, str]],
        *,
        namespace: str,
        timeout: float,
        replication_factor: int,
        tls: dict[str, Any] | None = None,
    ) -> None:
        self._namespace = namespace
        self._timeout = timeout
        self._replication_factor = replication_factor
        config = {
            "hosts": list(hosts),
            "tls": tls or {},
            "connect_timeout": round(timeout * 1000),
            # One dead seed or peer must not keep the others from us.
            "fail_if_not_connected": False,
            # A policy that is misspelt would be ignored.
            "validate_keys": True,
        }
        files = [Path(tls[name]) for name in ("cafile", "certfile", "keyfile") if tls and name in tls]
        self._open = OpenClient(config, files=files, longest=timeout)

    def write(self, records: Sequence[Record]) -> None:
        """Each key once: what a batch asks of one record twice is done in no certain order."""
        self._change([self._written(record) for record in port.newest(records)], fine=(_OK, _FILTERED_OUT))

    def read(self, keys: Sequence[str]) -> dict[str, port.Read]:
        wanted = list(dict.fromkeys(keys))
        stored = [self._key(key) for key in wanted]
        # Not as a batch of changes: only what is known to be reading is asked of another node that has it.
        done = self._batch(
            lambda client, policy: client.batch_read(stored, policy=policy),
            size=len(stored),
            fine=(_OK, _NOT_FOUND),
        )
        return {
            key: {name: str(value) for name, value in record.record[2].items()}
            for key, record in zip(wanted, done, strict=True)
            if record.result == _OK
        }

    def remove(self, keys: Sequence[str]) -> None:
        self._change([Remove(self._key(key)) for key in dict.fromkeys(keys)], fine=(_OK, _NOT_FOUND))

    def ping(self) -> None:
        """Asks a node for a record that is not there."""
        self.read(["ping:"])

    def check(self) -> list[str]:
        """Whether the namespace is there, takes records that end, and keeps as many copies as configured."""
        deadline = time.monotonic() + self._timeout
        client = self._client()
        try:
            answers = client.info_all(f"namespace/{self._namespace}", {"timeout": _milliseconds_to(deadline)})
        except exception.AerospikeError as error:
            if _is_answer(_code(error)):
                return [f"Aerospike does not tell of the namespace {self._namespace}: {error.msg}"]
            raise StoreUnavailable(_describe(error)) from error
        if not answers:
            raise StoreUnavailable(_without_nodes())
        return [
            f"Aerospike node {node}: {finding}"
            for node, (error, answer) in sorted(answers.items())
            for finding in self._findings(error, answer or "")
        ]

    def close(self) -> None:
        self._open.close()

    def _key(self, key: str) -> tuple[str, str, str]:
        return self._namespace, key.partition(":")[0], key

    def _written(self, record: Record) -> Write:
        bins = [operations.write(name, value) for name, value in record.stored.items()]
        return Write(self._key(record.key), bins, policy=_newest_wins(record.version, record.ttl))

    def _change(self, records: list[BatchRecord], *, fine: tuple[int, int]) -> None:
        batch = BatchRecords(records)
        self._batch(lambda client, policy: client.batch_write(batch, policy), size=len(records), fine=fine)

    def _batch(self, ask: Ask, *, size: int, fine: tuple[int, int]) -> list[BatchRecord]:
        """The records of a batch that was done. `fine`: their results that are no failure.

        See the note on results.
        """
        if not size:
            return []
        deadline = time.monotonic() + self._timeout
        client = self._client()
        try:
            done = ask(client, _batch_policy(_milliseconds_to(deadline)))
        except exception.AerospikeError as error:
            raise _failure([_code(error)], _describe(error)) from error
        if done.result not in (_OK, _SOME_RECORDS_FAILED) or len(done.batch_records) != size:
            raise StoreUnavailable(_reason(client, done.result))
        if failed := [record.result for record in done.batch_records if record.result not in fine]:
            reasons = ", ".join(sorted(map(_named, set(failed))))
            raise _failure(failed, f"Aerospike: {len(failed)} of {size} records failed: {reasons}")
        records: list[BatchRecord] = done.batch_records
        return records

    def _client(self) -> aerospike.Client:
        try:
            return self._open.get()
        except TimeoutError:
            raise StoreUnavailable(f"Aerospike: not connected after {self._timeout:g} s") from None
        except exception.AerospikeError as error:
            raise StoreUnavailable(_describe(error)) from error

    def _findings(self, error: object, answer: str) -> Iterator[str]:
        if error:
            yield f"does not say how the namespace {self._namespace} is set up: {error}"
            return
        facts = dict(fact.partition("=")[::2] for fact in answer.strip().split(";"))
        copies = facts.get("effective_replication_factor")
        if copies is None:
            yield f"there is no namespace {self._namespace}"
            return
        if facts.get("nsup-period") == "0" and facts.get("allow-ttl-without-nsup") != "true":
            yield f"nsup-period of {self._namespace} is 0: records that end are refused"
        if int(copies) < self._replication_factor:
            yield f"{self._namespace} keeps {copies} copies, configured are {self._replication_factor}"


def aerospike_tls(ca_cert: Path | None, client_cert: Path | None, client_key: Path | None) -> dict[str, Any]:
    """The client's settings for TLS: the nodes' CA (None: the system's), our certificate and its key."""
    ca_file = ca_cert or get_default_verify_paths().cafile
    tls = {"enable": True, "cafile": str(ca_file)}
    if client_cert:
        tls |= {"certfile": str(client_cert), "keyfile": str(client_key or client_cert)}
    return tls


@lru_cache(maxsize=1024)
def _newest_wins(version: int, ttl: int | None) -> dict[str, Any]:
    """Replace the record whole unless it is newer; where there is none, the server does not ask the filter."""
    no_version = expressions.NE(expressions.BinType("version"), aerospike.AS_BYTES_INTEGER)
    not_newer = expressions.LE(expressions.IntBin("version"), version)
    return {
        "key": aerospike.POLICY_KEY_SEND,
        "exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE,
        "ttl": aerospike.TTL_NEVER_EXPIRE if ttl is None else ttl,
        "expressions": expressions.Or(no_version, not_newer).compile(),
    }


def _batch_policy(milliseconds: int) -> dict[str, Any]:
    """Half of the time for the first node asked, so that there is some left for the one with the copy."""
    return {
        "total_timeout": milliseconds,
        "socket_timeout": max(1, milliseconds // 2),
        "max_retries": 1,
        # Nodes are asked at the same time: several that hang cost no more than one.
        "concurrent": True,
    }


def _milliseconds_to(deadline: float) -> int:
    """At least one: to the client, zero is for ever."""
    return max(1, round((deadline - time.monotonic()) * 1000))


def _failure(codes: Sequence[int], reason: str) -> StoreUnavailable:
    """Refused where each code speaks of the record or the arguments, not of a node that cannot work now."""
    return RecordsRefused(reason) if all(map(_is_answer, codes)) else StoreUnavailable(reason)


def _is_answer(code: int) -> bool:
    return (code > 0 and code not in (_TIMEOUT, _CLUSTER, _OVERLOADED)) or code == _BAD_ARGUMENT


def _reason(client: aerospike.Client, result: int) -> str:
    if not client.is_connected():
        return _without_nodes()
    return f"Aerospike: {_named(result)}"


def _without_nodes() -> str:
    return f"Aerospike: no node can be reached{recent_complaints()}"


def _named(result: int) -> str:
    return f"{_NAMES.get(result, 'error')} ({result})"


def _code(error: exception.AerospikeError) -> int:
    return error.code or 0


def _describe(error: exception.AerospikeError) -> str:
    return f"Aerospike: {type(error).__name__} ({_code(error)}): {error.msg}"
