from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "console.pages"
    label = "pages"
    verbose_name = "Pages"

    def ready(self) -> None:
        """Have the pages of aliases show their calls and quotas."""
        from console.catalog import traffic, where_used
        from console.pages.traffic import RolledUpTraffic, quotas_of

        traffic.SOURCES.append(RolledUpTraffic())
        where_used.ALIAS_SOURCES.append(quotas_of)
