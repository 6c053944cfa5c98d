from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "console.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Have conversations named once they have an answer, and agents know which widgets speak with them."""
        from agents_app import where_used
        from console.chat import answering
        from console.chat.services.titles import want_title
        from console.chat.where_used import widgets_with

        where_used.SOURCES.append(widgets_with)
        answering.AFTERWARDS.append(want_title)
