from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "console.pages"
    label = "pages"
    verbose_name = "Pages"

    def ready(self) -> None:
        from console.catalog import where_used
        from console.pages.where_used import UsageSource

        where_used.register(UsageSource())
