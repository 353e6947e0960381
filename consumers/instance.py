"""What is said once for an instance, however many processes it has: its build and its certificates."""

from __future__ import annotations

from django.conf import settings

from consumers import certificates
from consumers.build_info import BuildInfo
from consumers.certificate_watch import CertificateWatch

certificate_watch = CertificateWatch(lambda: certificates.named_by(settings.CONFIG))
collectors = (BuildInfo(settings.BUILD), certificate_watch)
