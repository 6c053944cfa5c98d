import importlib

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "console.core"
    label = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        # Tasks are sent by the current Celery app, so every Django process has it; programs without Django do not.
        importlib.import_module("console.celery")
