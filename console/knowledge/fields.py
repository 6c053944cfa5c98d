"""Column types of PostgreSQL that Django lacks."""

from typing import Any

from django.db import models


class RegConfig(models.CharField):  # type: ignore[type-arg]
    """The language words are read in: a text search configuration, so that a generated column may use it."""

    def db_type(self, connection: Any) -> str:
        return "regconfig"


class Vector(models.TextField):  # type: ignore[type-arg]
    """pgvector's `vector`, of any length, written and read as its text `[1,2,3]`."""

    def db_type(self, connection: Any) -> str:
        return "vector"
