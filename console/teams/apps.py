from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "console.teams"
    label = "teams"
    verbose_name = "Teams and keys"

    def ready(self) -> None:
        from console.teams import receivers

        receivers.connect()
