"""What several of these modules need."""

from rest_framework import serializers

from console.api.manage.base import Endpoint
from console.catalog import access
from console.catalog.models import Alias
from console.core.errors import NotFound
from console.teams.models import Environment


def seen_revision() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False,
        help_text="The revision you decided on; a conflict when it has grown since. Left out: nobody asks.",
    )


def alias_for(view: Endpoint, name: str) -> Alias:
    """Return the alias; the database cannot even be asked for a name with NUL in it."""
    if "\x00" in name:
        raise NotFound("There is no such alias.")
    return access.alias_for(view.caller, name)


def environment_of(environment: str) -> str:
    if environment not in Environment.values:
        raise NotFound(f"{environment[:40]!r} is not an environment; they are {' and '.join(Environment.values)}.")
    return environment
