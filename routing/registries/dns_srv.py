"""Kind `dns`: SRV records (RFC 2782), whose priorities and weights are those of the instances.

Where others have a weight, one of weight 0 gets no call at all; the RFC would have it get very few.
A truncated answer is asked for again by TCP. The names of targets go into the endpoints as they are: what calls
them resolves them, and TLS is verified against them. Nothing is kept for the records' time to live: the
resolver that is asked does that.
"""

from __future__ import annotations

from typing import Any

import dns.exception
import dns.rdatatype
import dns.resolver

from routing.registries.service import Instance, RegistryUnavailable, Service, ServiceUnknown, at, service

_PORT = 53
_ABSENT = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class DnsRegistry:
    """`domain_name`: of the records, with `{name}` for the service. `nameserver`: host address and port to ask;
    None: those of this machine. `timeout`, seconds, bounds one look-up.
    """

    def __init__(
        self,
        domain_name: str,
        *,
        nameserver: tuple[str, int] | None,
        timeout: float,
        scheme: str,
        https_only: bool,
    ) -> None:
        self.where = f"DNS at {nameserver[0]}:{nameserver[1]}" if nameserver else "DNS"
        self._domain_name = domain_name
        self._nameserver = nameserver
        self._timeout = timeout
        self._scheme = scheme
        self._https_only = https_only

    def ask(self, name: str) -> Service:
        records = self._domain_name.replace("{name}", name)
        try:
            answer = self._resolver().resolve(records, "SRV", search=False, lifetime=self._timeout)
        except _ABSENT as error:
            raise ServiceUnknown(f"{self.where} has no SRV records {records}: {error}") from error
        except (dns.exception.DNSException, OSError) as error:
            raise RegistryUnavailable(f"{self.where} did not say SRV {records}: {error}") from error
        listed = [self._instance(record) for record in answer if record.target.labels != (b"",)]
        if not listed:
            raise ServiceUnknown(
                f"{self.where} says of SRV {records} that the service is decidedly not offered: target ."
            )
        try:
            return service(name, listed, https_only=self._https_only)
        except ValueError as error:
            raise RegistryUnavailable(f"{self.where}, SRV {records}: {error}") from None

    def close(self) -> None:
        """Nothing stays open."""

    def _resolver(self) -> dns.resolver.Resolver:
        """A new one for each look-up: what this machine's settings say may have changed."""
        resolver = dns.resolver.Resolver(configure=self._nameserver is None)
        if self._nameserver:
            host, resolver.port = self._nameserver
            resolver.nameservers = [host]
        # One server that says nothing leaves time for another try.
        resolver.timeout = self._timeout / 2
        return resolver

    def _instance(self, record: Any) -> Instance:
        endpoint = at(self._scheme, record.target.to_text(omit_final_dot=True), record.port)
        return Instance(endpoint, record.weight, record.priority)
