from django.apps import AppConfig


class TeamsConfig(AppConfig):
    name = "console.teams"
    label = "teams"
    verbose_name = "Teams and keys"

    def ready(self) -> None:
        from console.teams import receivers, single_sign_on

        receivers.connect()
        single_sign_on.team_to_join()  # a role there is not stops the start, not the first who comes
