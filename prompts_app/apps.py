from django.apps import AppConfig


def _read_to() -> int:
    """Return the transaction number up to which the uses of prompts have been read from the log."""
    from prompts_app.models import PromptUseState

    return PromptUseState.objects.filter(pk=1).values_list("next_tx", flat=True).first() or 0


class PromptsConfig(AppConfig):
    name = "prompts_app"
    label = "prompts"
    verbose_name = "Prompts"

    def ready(self) -> None:
        """Have the log keep its months until they are read, ratings counted by version, and git hear of changes."""
        from console.audit.services import ratings, retention
        from prompts_app import listeners
        from prompts_app.git.remotes import want_on_change
        from prompts_app.services.rating_counts import count_rating

        retention.READERS.append(_read_to)
        ratings.LISTENERS.append(count_rating)
        listeners.LISTENERS.append(want_on_change)
