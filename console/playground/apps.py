from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "console.playground"
    label = "playground"
    verbose_name = "Playground"

    def ready(self) -> None:
        """Give every prompt's page a way here."""
        from django.urls import reverse

        from prompts_app import tabs
        from prompts_app.rendering import is_callable

        tabs.add_action(
            tabs.Action(
                "Try it",
                "play",
                lambda prompt, version: (
                    f"{reverse('playground:bench')}?prompt={version}" if is_callable(prompt.kind) else ""
                ),
                "use_models",
                draft_url=lambda prompt: (
                    f"{reverse('playground:bench')}?prompt={prompt.slug}&draft=1" if is_callable(prompt.kind) else ""
                ),
            )
        )
