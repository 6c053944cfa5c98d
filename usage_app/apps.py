from django.apps import AppConfig


def _read_to() -> int:
    """Return the transaction number up to which the roll-ups have read the log."""
    from usage_app.models import RollUpState

    return RollUpState.objects.filter(pk=1).values_list("next_tx", flat=True).first() or 0


class UsageConfig(AppConfig):
    name = "usage_app"
    label = "usage"
    verbose_name = "Usage"

    def ready(self) -> None:
        """Have the log keep its months until the roll-ups have read them."""
        from console.audit.services import retention

        retention.READERS.append(_read_to)
