from django.apps import AppConfig


class TouchpointsConfig(AppConfig):
    name = "console.touchpoints"
    label = "touchpoints"
    verbose_name = "Touchpoints"
