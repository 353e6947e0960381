from django.apps import AppConfig


class OrderEntryProjectConfig(AppConfig):
    name = "order_entry_project"
