"""Django's settings, as the configuration has them (`config/`). What is not said here is as Django has it."""

import secrets
import sys
from typing import Any

from order_entry_project import build, effective, redaction
from order_entry_project.config import ConfigError, load
from order_entry_project.console.theme import FRAME
from order_entry_project.logs import logging_config
from order_entry_project.postgresql.tls import tls_options
from order_entry_project.secrets.sources import credentials

try:
    CONFIG = load()
except ConfigError as error:
    sys.exit(f"{error}")

# Asked for when it is wanted: in a checkout it costs a call of git.
BUILD = build.facts
# What of a configuration is on record, secrets masked.
CHOSEN = effective.chosen

SECRET_KEY = CONFIG.api.secret_key.get_secret_value() if CONFIG.api.secret_key else secrets.token_urlsafe(50)
# From here on neither log nor diffsettings shows any of them.
redaction.know([*redaction.secrets_of(CONFIG), SECRET_KEY])
DEBUG = False
ALLOWED_HOSTS = [*CONFIG.api.allowed_hosts, CONFIG.service.name]
ROOT_URLCONF = "order_entry_project.urls"
WSGI_APPLICATION = "order_entry_project.wsgi.application"

INSTALLED_APPS = [
    "order_entry_project",
    "orders",
    "routing",
    "consumers",
    "unfold",
    "unfold.contrib.filters",
    "order_entry_project.console.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "order_entry_project.request_metrics.WholeRequests",
    "order_entry_project.browser_policy.BrowserPolicy",
    # Before anything believes where a request comes from.
    "orders.api.proxies.TrustedProxies",
    "django.middleware.security.SecurityMiddleware",
    # Before anything reads its body.
    "orders.api.bodies.BodyLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "order_entry_project.request_metrics.RequestMetrics",
    # Before anything looks for the person behind a request.
    "orders.api.quick_status.QuickStatus",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "order_entry_project.sessions.PresentPeople",
    "orders.accounts.NoteWhoAsks",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# User and password are asked for at each connection.
CREDENTIALS = credentials(CONFIG)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "order_entry_project.postgresql",
        "HOST": CONFIG.database.sql_host,
        "PORT": CONFIG.database.sql_port,
        "NAME": CONFIG.database.sql_database,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": max(2, round(CONFIG.database.connection_timeout)),
            "application_name": CONFIG.service.name,
            **tls_options(CONFIG.database),
        },
    }
}
# Added to OPTIONS by wsgi.py alone: commands and workers hold one connection each and fork before they do.
WEB_DATABASE_OPTIONS = {
    "pool": {
        "min_size": min(4, CONFIG.database.pool_size),
        "max_size": CONFIG.database.pool_size,
        # A page says that SQL is away before anyone takes it for hung.
        "timeout": min(CONFIG.database.connection_timeout, 2.0),
        # Fewer than the threads of gunicorn.conf.py: while SQL is away the others still say so at once.
        "max_waiting": 5,
        # Seconds until a lost connection is given up and the next request tries anew: the pause between two
        # attempts doubles, and would in the end be as long as the outage was.
        "reconnect_timeout": 2,
    },
    # Seconds until a server that stands still is given up: it does not serve its own time-outs.
    "patience": 12,
    # Milliseconds. No page is worth more, and none may hold a row for longer.
    "options": "-c statement_timeout=10000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["orders.logins.GuardedBackend"]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"  # where a log-in asks for a place elsewhere
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "order_entry_project.formats"

# Served by the web process itself, straight from the packages: nothing to collect before a start.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False

# Of the console, see console/theme.py.
UNFOLD = FRAME

# Each session ends by itself earlier, see sessions.py; its row and cookie are of no use afterwards.
SESSION_COOKIE_AGE = round(CONFIG.console.session_lifetime)
SECURE_SSL_REDIRECT = CONFIG.api.https_only
SESSION_COOKIE_SECURE = CONFIG.api.https_only
CSRF_COOKIE_SECURE = CONFIG.api.https_only
# Only a trusted proxy's gets here, see orders/api/proxies.py.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Of the console; the API's own limit is lower.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
if CONFIG.api.https_only:
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    # Probes and scrapes come straight to the process, not through the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics$"]
# Said once, by checks.py, in the words of the configuration.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # What a request says of itself comes before what its connection or cookie says.
        "orders.api.authentication.TokenAuthentication",
        "orders.api.authentication.PasswordAuthentication",
        "orders.api.authentication.CertificateAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["orders.api.access.ScopePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["orders.api.throttles.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["orders.api.exact_json.ExactJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orders.api.problems.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "order-entry",
    "DESCRIPTION": "Status of orders, manual creation, and routing by hand.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orders.api.openapi.complete",
    ],
    "SERVE_PERMISSIONS": ["orders.api.access.DocumentationPermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = logging_config(CONFIG)
