from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "console.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Have agents know which widgets speak with them."""
        from agents_app import where_used
        from console.chat.where_used import widgets_with

        where_used.SOURCES.append(widgets_with)
