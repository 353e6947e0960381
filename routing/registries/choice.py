"""The registry that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from orders.credentials import CredentialsUnavailable
from orders.tls import TlsFiles
from routing.registries import consul, eureka, http
from routing.registries.asking import Asking
from routing.registries.dns_srv import DnsRegistry
from routing.registries.service import Instance, RegistryUnavailable, Source
from routing.registries.static import StaticRegistry

_PATHS = {"http": http.PATH, "consul": consul.PATH, "eureka": eureka.PATH}


def configured(*, timeout: float | None = None) -> Source:
    """As configured, but for the time that one answer may take, seconds."""
    config = settings.CONFIG.service_registry
    https_only = settings.CONFIG.router.https_only
    scheme = config.scheme or ("https" if https_only else "http")
    timeout = timeout or config.timeout
    match config.kind:
        case "http":
            return http.HttpRegistry(_asking(timeout), https_only=https_only)
        case "consul":
            given = {"dc": config.datacenter, "tag": config.tag}
            params = {key: value for key, value in given.items() if value}
            return consul.ConsulRegistry(
                _asking(timeout), scheme=scheme, params=params, https_only=https_only
            )
        case "eureka":
            return eureka.EurekaRegistry(_asking(timeout), scheme=config.scheme, https_only=https_only)
        case "static":
            instances = [Instance(one.endpoint, one.weight) for one in config.instances]
            return StaticRegistry(instances, https_only=https_only)
        case "dns":
            return DnsRegistry(
                config.dns_name or "",
                nameserver=config.nameserver_address,
                timeout=timeout,
                scheme=scheme,
                https_only=https_only,
            )


def _asking(timeout: float) -> Asking:
    config = settings.CONFIG.service_registry
    path = config.path or _PATHS[config.kind]
    return Asking(config.endpoint, path, timeout=timeout, tls=TlsFiles.of(config), headers=_headers)


def _headers() -> Mapping[str, str]:
    source = settings.CREDENTIALS.registry
    if source is None:
        return {}
    try:
        token = source.current()
    except CredentialsUnavailable as error:
        raise RegistryUnavailable(str(error)) from error
    if settings.CONFIG.service_registry.kind == "consul":
        return {"X-Consul-Token": token}
    return {"Authorization": f"Bearer {token}"}
