"""WSGI entry point: `gunicorn order_entry_project.wsgi`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from order_entry_project import telemetry

settings.DATABASES["default"]["OPTIONS"] |= settings.WEB_DATABASE_OPTIONS
django.setup()
telemetry.instrument_web(settings.CONFIG)
application = get_wsgi_application()
