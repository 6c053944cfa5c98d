from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage_app"
    label = "usage"
    verbose_name = "Usage"
