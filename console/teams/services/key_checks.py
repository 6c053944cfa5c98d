"""Validate keys: name, scopes, owner, and the handling of unknown fields."""

from collections.abc import Sequence

from console.core.cached_settings import settings
from console.core.errors import BadInput, NotAllowed
from console.teams.actors import Actor
from console.teams.models import ApiKey, Membership, Team, UnknownFields, User
from console.teams.rights import manages_installation, rights_of_actor
from console.teams.roles import OPERATOR_SCOPES, SCOPES
from console.teams.unknown_fields import is_laxer


def _is_operator(actor: Actor) -> bool:
    return actor.kind == "user" and User.objects.filter(pk=actor.id or "", is_superuser=True, is_active=True).exists()


def check_scopes(actor: Actor, team: Team, scopes: Sequence[str]) -> None:
    """Refuse scopes that do not exist or that the actor could not use: a key is no way to more rights."""
    if not scopes:
        raise BadInput("Choose at least one scope; a key without any can do nothing.", param="scopes")
    for scope in scopes:
        if scope not in SCOPES:
            raise BadInput(f"{scope!r} is not a scope; choose from {', '.join(SCOPES)}.", param="scopes")
    rights = rights_of_actor(actor, team.pk)
    held_back = OPERATOR_SCOPES.intersection(scopes)
    if held_back and rights is not None and not _is_operator(actor):
        raise NotAllowed(f"Only an operator can give a key {', '.join(sorted(held_back))}.", param="scopes")
    beyond = [scope for scope in scopes if rights is not None and SCOPES[scope] not in rights]
    if beyond:
        raise NotAllowed(f"Your role does not include {', '.join(beyond)}, so your keys cannot either.", param="scopes")


def check_owner(team: Team, owner: User | None) -> None:
    if owner is None:
        return
    if not owner.is_active:
        raise BadInput(f"{owner} is disabled and cannot answer for a key.", param="owner")
    if not owner.is_operator and not Membership.objects.filter(team=team, user=owner).exists():
        raise BadInput(f"{owner} is not a member of {team}, so the key could do nothing.", param="owner")


def speaks_for_installation(actor: Actor) -> bool:
    if actor.kind == "key" and actor.id:
        key = ApiKey.objects.select_related("owner").filter(pk=actor.id).first()
        return key is not None and manages_installation(key)
    return actor.kind == "system" or _is_operator(actor)


def check_unknown_fields(actor: Actor, word: str, before: str = "") -> str:
    if word not in UnknownFields.values:
        words = ", ".join(filter(None, UnknownFields.values))
        message = (
            f"{word!r} cannot happen to unknown fields; choose {words}, or nothing for the installation's setting."
        )
        raise BadInput(message, param="unknown_fields")
    if word != before and is_laxer(word) and not speaks_for_installation(actor):
        limit = settings.GATEWAY_UNKNOWN_FIELDS
        message = f"This installation's word for unknown fields is {limit}; only an operator can let a key {word} them."
        raise NotAllowed(message, param="unknown_fields")
    return word


def check_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 80:
        raise BadInput("Give the key a name of up to 80 characters.", param="name")
    return name
