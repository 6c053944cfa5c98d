from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "console.knowledge"
    label = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        """Have the gateway put passages before the questions of calls that name collections."""
        from console.gateway import knowledge
        from console.knowledge.in_calls import look_up

        knowledge.LOOK_UPS.append(look_up)
