"""Files and folders: certificates, schemas, logs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings

from consumers import certificates
from consumers.certificates import Certificate, CertificateFile, CertificateUnusable
from order_entry_project.preflight.finding import Finding, days, failed, first_line, ok, warning
from orders import avro


def certificate_findings(patience: float) -> Iterator[Finding]:
    del patience
    files = list(certificates.named_by(settings.CONFIG))
    if not files:
        yield ok("*_cert", "the configuration names no certificates")
    for file in files:
        try:
            found = certificates.read(file)
            certificates.check_private_key(file)
        except CertificateUnusable as error:
            yield failed(
                str(error).partition(" ")[0],
                str(error),
                expected="a PEM file with the certificate and its own private key without a passphrase"
                if file.private_key
                else "a PEM file with the certificates of authorities",
                advice="put the right file there, readable by the account the service runs as",
            )
        else:
            yield _in_force(file, found)


def _in_force(file: CertificateFile, found: list[Certificate]) -> Finding:
    now = datetime.now(UTC)
    first = min(found, key=lambda one: one.not_after)
    left = timedelta(seconds=settings.CONFIG.service.certificate_warning)
    verb = "ends" if first.not_after > now else "ended"
    said = f"{first.subject} in {file.path} {verb} on {first.not_after:%Y-%m-%d}"
    needed = f"certificates in force for more than {days(left.total_seconds())} (service.certificate_warning)"
    if later := [one for one in found if one.not_before > now]:
        said = f"{later[0].subject} in {file.path} is not in force before {later[0].not_before:%Y-%m-%d %H:%M} UTC"
        return failed(
            file.name, said, expected="a certificate in force", advice="set this machine's clock, or wait"
        )
    if first.not_after > now + left:
        return ok(file.name, said)
    # Of authorities, those that are left may still do.
    spare = file.private_key is None and any(one.not_after > now for one in found)
    if first.not_after <= now and not spare:
        return failed(file.name, said, expected=needed, advice="renew it now: nothing lets it in any more")
    advice = (
        "remove it, or put its successor beside it"
        if spare
        else "put its successor in its place, with chain and key"
    )
    return warning(file.name, said, expected=needed, advice=advice)


def schema_findings(patience: float) -> Iterator[Finding]:
    del patience
    folder = settings.CONFIG.mq.avro_schemas
    try:
        avro.schemas(folder)
    except (avro.BadSchemaFile, OSError) as error:
        yield failed(
            "mq.avro_schemas",
            first_line(error),
            expected="a folder of .avsc files that the shipped schema can be read from",
            advice="correct or remove the file, or set the key to null where there are no further writers",
        )
    else:
        yield ok(
            "mq.avro_schemas", f"the schemas in {folder} can be used" if folder else "only the shipped schema"
        )


def log_findings(patience: float) -> Iterator[Finding]:
    del patience
    folder = settings.CONFIG.logs.folder
    if folder is None:
        yield ok("logs.folder", "no log files are written")
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix="preflight-") as file:
            file.write(b"preflight\n")
    except OSError as error:
        yield failed(
            "logs.folder",
            f"{folder} cannot be written to: {error.strerror}",
            expected="a folder in which the account the service runs as may create files",
            advice=f"chown or remount {folder}, make room on it, or name another folder",
        )
    else:
        yield ok("logs.folder", f"{folder} can be written to")
