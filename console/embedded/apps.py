from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "console.embedded"
    label = "embedded"
    verbose_name = "Embedded parts"

    def ready(self) -> None:
        from console.embedded import checks  # noqa: F401  (registers them)
