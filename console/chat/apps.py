from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "console.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Have answers named, agents know which widgets speak with them, and the gateway which widgets may ask."""
        from agents_app import where_used
        from console.chat import generation
        from console.chat.embed.shapes import widget_shapes
        from console.chat.services.titles import want_title
        from console.chat.where_used import limited_in, widgets_with
        from console.gateway import widgets
        from usage_app import scopes

        where_used.SOURCES.append(widgets_with)
        widgets.SOURCES.append(widget_shapes)
        scopes.SOURCES.append(limited_in)
        generation.AFTERWARDS.append(want_title)
