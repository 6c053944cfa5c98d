"""What the modules of the catalog share."""

from console.api.manage.base import Endpoint
from console.catalog import access
from console.catalog.models import Alias
from console.core.errors import NotFound
from console.teams.models import Environment


def alias_for(view: Endpoint, name: str) -> Alias:
    """Return the alias; the database cannot even be asked for a name with NUL in it."""
    if "\x00" in name:
        raise NotFound("There is no such alias.")
    return access.alias_for(view.caller, name)


def environment_of(environment: str) -> str:
    if environment not in Environment.values:
        raise NotFound(f"{environment[:40]!r} is not an environment; they are {' and '.join(Environment.values)}.")
    return environment
