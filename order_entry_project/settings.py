"""Django's settings, all derived from the configuration (`config.py`)."""

import secrets
import sys

from order_entry_project.config import BASE_DIR, ConfigError, load

try:
    CONFIG = load()
except ConfigError as error:
    sys.exit(f"{error}")

SECRET_KEY = (
    CONFIG.api.secret_key.get_secret_value() if CONFIG.api.secret_key else secrets.token_urlsafe(50)
)
DEBUG = False
ALLOWED_HOSTS = [*CONFIG.api.allowed_hosts, CONFIG.service.name]
ROOT_URLCONF = "order_entry_project.urls"
WSGI_APPLICATION = "order_entry_project.wsgi.application"
APPEND_SLASH = True

INSTALLED_APPS = [
    "order_entry_project",
    "orders",
    "routing",
    "consumers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
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

_password = CONFIG.database.sql_password
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": CONFIG.database.sql_host,
        "PORT": CONFIG.database.sql_port,
        "NAME": CONFIG.database.sql_database,
        "USER": CONFIG.database.sql_user,
        "PASSWORD": _password.get_secret_value() if _password else "",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": max(2, round(CONFIG.database.connection_timeout)),
            "application_name": CONFIG.service.name,
        },
    }
}
# Put into OPTIONS by wsgi.py alone: commands and workers hold one connection each and fork before they do.
WEB_POOL = {
    "min_size": 1,
    "max_size": CONFIG.database.pool_size,
    "timeout": CONFIG.database.connection_timeout,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Without a collected manifest (tests, a fresh checkout) the files come straight from the packages.
if not (STATIC_ROOT / "staticfiles.json").is_file():
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 8 * 3600
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = CONFIG.api.https_only
SESSION_COOKIE_SECURE = CONFIG.api.https_only
CSRF_COOKIE_SECURE = CONFIG.api.https_only
if CONFIG.api.https_only:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.BasicAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orders.api.problems.problem_response",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "order-entry",
    "DESCRIPTION": "Status of orders, manual creation, and routing by hand.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"pika": {"level": "WARNING"}},
}
