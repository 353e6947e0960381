from django.apps import AppConfig


class OrderEntryProjectConfig(AppConfig):
    name = "order_entry_project"

    def ready(self) -> None:
        from order_entry_project import checks  # noqa: F401 - importing registers them
