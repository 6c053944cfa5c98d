from django.apps import AppConfig


class CatalogConfig(AppConfig):
    name = "console.catalog"
    label = "catalog"
    verbose_name = "Models and pins"
