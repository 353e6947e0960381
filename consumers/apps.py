from django.apps import AppConfig


class ConsumersConfig(AppConfig):
    name = "consumers"

    def ready(self) -> None:
        from consumers.order_story import rejected_messages
        from routing import story

        story.more.append(rejected_messages)
