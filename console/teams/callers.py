"""Callers: the one place that reads credentials, and resolves a session or an API key to a Caller.

1. A request with a key is a program's: its cookies are ignored. Pages never look at keys.
2. Two different keys in one request, or a key in the address, are refused: one of them is in the wrong hands.
3. A malformed key is refused by its checksum, without asking the database.
4. Every other refusal has the same body. Why, is for the log (`refusals.py`).
5. If the database cannot be asked, the answer is 503: not "wrong key", and never "come in".
"""

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, QueryDict
from django_htmx.middleware import HtmxDetails

from console.core.client_address import is_within, parse_address, parse_network
from console.core.clock import now
from console.core.errors import BadInput, NotSignedIn, Unavailable
from console.core.sql import only
from console.teams import keys, lineage, refusals
from console.teams.actors import SYSTEM as SYSTEM
from console.teams.actors import Actor as Actor
from console.teams.lineage import chain_of
from console.teams.models import ApiKey, User
from console.teams.rights import key_rights, manages_installation, must_set_up_two_factor, rights_of, withheld_from
from console.teams.shapes import KeyShape

REFUSED = "This API key cannot be used here. Check that it is complete, active, and sent from an allowed network."
# Names under which programs put keys into addresses, where every log on the way keeps them.
_QUERY_NAMES = frozenset({"api_key", "apikey", "api-key", "x-api-key", "access_token"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with rights, resolved once per request from the credentials it came with.

    `rights` maps a team's id to the rights (see roles.py) the caller has there now. For a key they are already the
    intersection of its scopes with its owner's present rights. Operators have every right in every team; an operator's
    key that manages the installation has them too, but for those `withheld` names.
    """

    actor: Actor
    is_operator: bool = False
    user: User | None = None
    key_id: uuid.UUID | None = None
    # Of a key: itself and those that were rotated into it. What they made is the caller's own.
    own_keys: frozenset[uuid.UUID] = frozenset()
    # The first of them. What is said once with an Idempotency-Key is said once by them all.
    first_key: uuid.UUID | None = None
    rights: dict[uuid.UUID, frozenset[str]] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    # A person who must set up a second factor before anything else, because a team requires it.
    is_held: bool = False

    @property
    def is_anonymous(self) -> bool:
        return self.user is None and self.key_id is None

    def may(self, right: str, team_id: uuid.UUID | None = None) -> bool:
        """Return whether the caller has the right in that team, or, without a team, in any."""
        if self.is_operator:
            return right not in self.withheld
        if team_id is None:
            return any(right in rights for rights in self.rights.values())
        return right in self.rights.get(team_id, frozenset())


ANONYMOUS = Caller(actor=Actor(kind="anonymous", id=None, name="Nobody"))


class TeamRequest(HttpRequest):
    """A request the middlewares have completed; what views are typed with."""

    caller: Caller
    htmx: HtmxDetails
    request_id: uuid.UUID
    client_address: str


def read_key(authorization: Iterable[str], x_api_key: Iterable[str]) -> str | None:
    """Return the key a request's headers carry, None when they carry none. Takes every value of both headers."""
    found = {value.strip() for value in x_api_key if value.strip()}
    for value in authorization:
        scheme, _, text = value.strip().partition(" ")
        if not scheme:
            continue
        if scheme.lower() != "bearer" or not text.strip():
            raise BadInput("Send the key as `Authorization: Bearer <key>`.", code="invalid_authorization_header")
        found.add(text.strip())
    if len(found) > 1:
        raise BadInput("The request carries two different keys; send one.", code="two_credentials")
    return found.pop() if found else None


def pairs_of(query: QueryDict) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, values in query.lists() for value in values)


def refuse_keys_in_query(query: Iterable[tuple[str, str]]) -> None:
    """Refuse a key in any place of an address; a name may be there twice."""
    for name, value in query:
        if name.lower() in _QUERY_NAMES or value.startswith((*keys.PREFIXES.values(), keys.HOOK_PREFIX)):
            raise BadInput(
                "Send the key in the Authorization header. Addresses end up in logs; revoke the key if it was real.",
                code="key_in_query",
            )


def caller_from_request(request: HttpRequest) -> Caller:
    """Return who sends this request to an API route: the key's Caller, the session's, or nobody's."""
    refuse_keys_in_query(pairs_of(request.GET))
    # A header sent twice arrives as one, with a comma no key has.
    given = (request.headers.get(name, "").split(",") for name in ("authorization", "x-api-key"))
    text = read_key(*given)
    if text is None:  # the middleware has looked the session up, where there is one
        found: Caller | None = getattr(request, "caller", None)
        return found or caller_for_session(request)
    return caller_for_key(text, getattr(request, "client_address", ""), request_id=getattr(request, "request_id", None))


def caller_for_session(request: HttpRequest) -> Caller:
    """Return the signed-in person. Someone who must set up a second factor first has no rights until then."""
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return ANONYMOUS
    actor = Actor(
        kind="user",
        id=user.pk,
        name=str(user),
        client_address=getattr(request, "client_address", ""),
        request_id=getattr(request, "request_id", None),
    )
    if must_set_up_two_factor(user):
        return Caller(actor=actor, user=user, is_held=True)
    return Caller(
        actor=actor, is_operator=user.is_operator, user=user, rights={} if user.is_operator else rights_of(user)
    )


def caller_for_key(text: str, client_address: str, *, request_id: uuid.UUID | None = None) -> Caller:
    """Return the Caller of a key, or raise the one 401 there is."""
    if not keys.is_well_formed(text):
        _refuse("malformed", client_address=client_address)
    try:
        key = only(ApiKey.objects.select_related("team", "owner", "replaces").filter(digest=keys.digest(text)))
        reason = "unknown" if key is None else why_refused(key, client_address)
        rights = key_rights(key) if key is not None and not reason else frozenset()
        line = lineage.line_of(key) if key is not None and rights else []
    except (OperationalError, InterfaceError) as error:
        raise Unavailable("Keys cannot be checked right now; try again.", retry_after=5) from error
    if key is None or reason:
        _refuse(reason, key=key, client_address=client_address)
    if not rights:
        _refuse("its owner has no rights in the team any more", key=key, client_address=client_address)
    actor = Actor(
        kind="key", id=key.pk, name=f"{key.name} {key.shown}", client_address=client_address, request_id=request_id
    )
    caller = Caller(actor=actor, key_id=key.pk, own_keys=frozenset(line), first_key=line[-1])
    if manages_installation(key):
        return replace(caller, is_operator=True, withheld=withheld_from(key))
    return replace(caller, rights={key.team_id: rights})


def caller_of(key: KeyShape, client_address: str, *, request_id: uuid.UUID | None = None) -> Caller:
    """Return the Caller of a key the gateway has let in, as its snapshot knows it."""
    actor = Actor("key", key.id, f"{key.name} {key.shown}", client_address=client_address, request_id=request_id)
    line = chain_of(key.id, key.older)
    rights = {key.team.id: key.rights}
    return Caller(actor=actor, key_id=key.id, own_keys=frozenset(line), first_key=line[-1], rights=rights)


def why_refused(key: ApiKey, client_address: str) -> str:
    """Return why a key is refused now, empty when it is not; its owner's rights are not asked about here."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now():
        return "expired"
    if key.team.archived_at is not None:
        return "its team is archived"
    if key.networks and not is_within(parse_address(client_address), tuple(map(parse_network, key.networks))):
        return "outside its networks"
    if key.owner is not None and not key.owner.is_active:
        return "its owner is disabled"
    return ""


def _refuse(reason: str, *, client_address: str, key: ApiKey | None = None) -> NoReturn:
    refusals.note(reason, key=key, client_address=client_address)
    raise NotSignedIn(REFUSED, headers={"WWW-Authenticate": 'Bearer realm="api"'})
