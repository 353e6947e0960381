from django.apps import AppConfig


class OrderEntryProjectConfig(AppConfig):
    name = "order_entry_project"

    def ready(self) -> None:
        from django.conf import settings

        from order_entry_project import checks, telemetry  # noqa: F401 - importing registers the checks

        telemetry.start(settings.CONFIG)
