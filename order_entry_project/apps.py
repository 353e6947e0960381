from django.apps import AppConfig, apps


class OrderEntryProjectConfig(AppConfig):
    name = "order_entry_project"

    def ready(self) -> None:
        from django.conf import settings
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import post_migrate

        from order_entry_project import checks, sessions, telemetry  # noqa: F401 - importing registers the checks
        from order_entry_project.console import roles

        # This package has no models, hence no such signal of its own.
        post_migrate.connect(roles.grant, sender=apps.get_app_config("orders"))
        user_logged_in.connect(sessions.begin)
        telemetry.start(settings.CONFIG)
