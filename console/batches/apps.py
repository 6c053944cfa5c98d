from django.apps import AppConfig


class BatchesConfig(AppConfig):
    name = "console.batches"
    label = "batches"
    verbose_name = "Batches"

    def ready(self) -> None:
        """Give every prompt's page a way to be asked for many rows at once."""
        from django.urls import reverse

        from prompts_app import tabs
        from prompts_app.rendering import is_callable

        tabs.add_action(
            tabs.Action(
                "Fill from a table",
                "table",
                lambda prompt, version: (
                    f"{reverse('batches:new_from_table')}?team={prompt.team.slug}&prompt={version}"
                    if is_callable(prompt.kind)
                    else ""
                ),
                order=40,
            )
        )
