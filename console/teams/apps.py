from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "console.teams"
    label = "teams"
    verbose_name = "Teams and keys"

    def ready(self) -> None:
        from console.teams import adapters, receivers

        receivers.connect()
        adapters.team_to_join()  # a role there is not stops the start, not the first who comes
