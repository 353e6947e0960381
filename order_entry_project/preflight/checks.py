"""What there is to check in the configuration in force."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings

from order_entry_project.preflight import (
    audit,
    broker,
    configuration,
    credentials,
    database,
    endpoint,
    files,
    routing,
    stores,
)
from order_entry_project.preflight.finding import Finding
from order_entry_project.preflight.run import Check


def checks() -> list[Check]:
    return [
        Check("configuration", "ORDER_ENTRY_CONFIG", configuration.findings),
        Check("certificates", "*_cert", files.certificate_findings),
        Check("credentials", "database.credentials_source", credentials.findings),
        Check("database", "database.sql_host", database.findings),
        Check("audit", "database.sql_user", audit.findings),
        *broker.checks(),
        *stores.checks(),
        Check("registry, router", "service_registry.endpoint", routing.findings),
        Check("Avro schemas", "mq.avro_schemas", files.schema_findings),
        Check("logs", "logs.folder", files.log_findings),
        *_telemetry(),
    ]


def _telemetry() -> list[Check]:
    section = settings.CONFIG.telemetry
    key, url = "telemetry.otlp_endpoint", section.otlp_endpoint
    if url is None:
        return []

    def findings(patience: float) -> Iterator[Finding]:
        return endpoint.look(key, url, section, patience)

    return [Check("traces", key, findings)]
