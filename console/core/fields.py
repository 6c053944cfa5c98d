"""Model fields with a meaning of their own."""

from typing import Any

from django.db import models


class EncryptedField(models.TextField):  # type: ignore[type-arg]
    """What `console.core.crypto.encrypt` returned, or nothing. Being of this class is how it is found when keys change.

    To the database it is a text, so making a column one takes no migration.
    """

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, given, named = super().deconstruct()
        return name, "django.db.models.TextField", given, named
