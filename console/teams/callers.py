"""Who is calling. The one place that turns a session, a key or a visitor token into a Caller."""

import uuid
from dataclasses import dataclass, field

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from console.teams.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it, as the log names them. `kind`: user, key, visitor, run or system."""

    kind: str
    id: uuid.UUID | None
    name: str
    client_address: str = ""
    request_id: uuid.UUID | None = None


SYSTEM = Actor(kind="system", id=None, name="Facet")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with rights, resolved once per request from the credentials it came with.

    `rights` maps a team's id to the rights (see roles.py) the caller has there now. For a key they are already the
    intersection of its scopes with its owner's present rights. Operators have every right in every team.
    """

    actor: Actor
    is_operator: bool = False
    user: User | None = None
    key_id: uuid.UUID | None = None
    rights: dict[uuid.UUID, frozenset[str]] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        return self.user is None and self.key_id is None

    def may(self, right: str, team_id: uuid.UUID | None = None) -> bool:
        """Say whether the caller has the right in that team, or, without a team, in any."""
        if self.is_operator:
            return True
        if team_id is None:
            return any(right in rights for rights in self.rights.values())
        return right in self.rights.get(team_id, frozenset())


ANONYMOUS = Caller(actor=Actor(kind="anonymous", id=None, name="Nobody"))


class TeamRequest(HttpRequest):
    """A request the middlewares have completed; what views are typed with."""

    caller: Caller
    htmx: HtmxDetails
    request_id: uuid.UUID
