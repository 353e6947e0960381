"""WSGI entry point: `gunicorn order_entry_project.wsgi`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "order_entry_project.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.DATABASES["default"]["OPTIONS"] |= settings.WEB_DATABASE_OPTIONS
application = get_wsgi_application()
