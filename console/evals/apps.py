from django.apps import AppConfig


class EvalsConfig(AppConfig):
    name = "console.evals"
    label = "evals"
    verbose_name = "Tests"

    def ready(self) -> None:
        """Put the tests on every prompt's page, and between a version and the labels that ask for them."""
        from django.urls import reverse

        from console.catalog import gates as gates_of_aliases
        from console.catalog import links as links_on_aliases
        from console.catalog import notes as notes_on_aliases
        from console.catalog import where_used
        from console.evals import notes
        from console.evals.gate import against_move, objections
        from console.evals.models import TestCase
        from prompts_app import gates, tabs
        from prompts_app import notes as notes_on_prompts
        from prompts_app.rendering import is_callable

        tabs.add_tab(
            tabs.Tab(
                "tests",
                "Tests",
                url=lambda prompt: reverse("evals:tests", args=[prompt.slug]) if is_callable(prompt.kind) else "",
                count=lambda prompt: TestCase.objects.filter(prompt=prompt).count(),
            )
        )
        gates.GATES.append(objections)
        gates_of_aliases.GATES.append(against_move)
        notes_on_prompts.SOURCES.append(notes.on_prompt)
        notes_on_aliases.SOURCES.append(notes.on_alias)
        links_on_aliases.SOURCES.append(notes.replay_alias)
        where_used.ALIAS_SOURCES.append(notes.schedules_with)
