"""Django's settings for the hot path: each is read once, and again when a test changes it.

Asking Django costs a call of a Python function each time, and a call to a model asks for eight.
"""

from typing import Any

from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.dispatch import receiver


class _Settings:
    def __getattr__(self, name: str) -> Any:
        value = self.__dict__[name] = getattr(django_settings, name)
        return value


settings = _Settings()


@receiver(setting_changed)
def _forget(**_: Any) -> None:
    settings.__dict__.clear()
