from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "console.knowledge"
    label = "knowledge"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        """Have the gateway put passages before questions, and models know which collections they make vectors for."""
        from console.catalog import where_used
        from console.gateway import knowledge
        from console.knowledge.retrieval import look_up
        from console.knowledge.where_used import collections_with

        knowledge.LOOK_UPS.append(look_up)
        where_used.VERSION_SOURCES.append(collections_with)
