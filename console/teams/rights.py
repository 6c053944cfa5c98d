"""Rights in teams: guardian's permissions, read in one query per person."""

import uuid
from collections.abc import Collection

from allauth.mfa.models import Authenticator
from django.contrib.contenttypes.models import ContentType
from guardian.models import UserObjectPermission

from console.core.sql import only
from console.teams import sql
from console.teams.actors import Actor
from console.teams.models import ApiKey, Membership, Team, User
from console.teams.roles import ALL_RIGHTS, INSTALLATION, NOT_INCLUDED, rights_of_key

SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def rights_of(user: User) -> dict[uuid.UUID, frozenset[str]]:
    """Return the rights a person has now, by team. One query; operators need none of it."""
    of_teams = ContentType.objects.get_for_model(Team)  # kept by the process
    found: dict[uuid.UUID, set[str]] = {}
    for team_id, codename in sql.rights_given(user.pk, of_teams.pk):
        found.setdefault(uuid.UUID(team_id), set()).add(codename)
    return {team_id: frozenset(rights) for team_id, rights in found.items()}


def teams_of_people(user_ids: Collection[uuid.UUID], right: str) -> dict[uuid.UUID, set[uuid.UUID] | None]:
    """Return where many people have a right now; None for operators: everywhere. Who may not come in is not there."""
    people = dict(User.objects.filter(pk__in=user_ids, is_active=True).values_list("pk", "is_superuser"))
    requiring = Membership.objects.filter(user__in=list(people), team__requires_two_factor=True, team__archived_at=None)
    if must := set(requiring.values_list("user_id", flat=True)):
        have = Authenticator.objects.filter(user__in=must, type__in=SECOND_FACTORS).values_list("user_id", flat=True)
        for user_id in must - set(have):
            del people[user_id]
    of_teams = ContentType.objects.get_for_model(Team)
    rows = UserObjectPermission.objects.filter(
        user__in=list(people), content_type_id=of_teams.pk, permission__codename=right
    ).values_list("user_id", "object_pk")
    found: dict[uuid.UUID, set[uuid.UUID]] = {pk: set() for pk in people}
    for user_id, team_id in rows:
        found[user_id].add(uuid.UUID(team_id))
    return {user_id: None if people[user_id] else teams for user_id, teams in found.items()}


def rights_in_team(user: User, team_id: uuid.UUID) -> frozenset[str]:
    """Return what a person may do in one team now: everything for an operator, nothing for a disabled person."""
    if not user.is_active:
        return frozenset()
    return ALL_RIGHTS if user.is_operator else rights_of(user).get(team_id, frozenset())


def key_rights(key: ApiKey) -> frozenset[str]:
    """Return what a key may do in its team now: its scopes, as far as its owner has the right too."""
    if key.owner is not None:
        return rights_of_key(key.scopes, rights_in_team(key.owner, key.team_id))
    return rights_of_key(key.scopes, frozenset() if key.was_personal else None)


def manages_installation(key: ApiKey) -> bool:
    """Return whether a key is as good as an operator now: by its scope, and by who answers for it at this moment."""
    if INSTALLATION not in key.scopes:
        return False
    return not key.was_personal if key.owner is None else key.owner.is_active and key.owner.is_operator


def withheld_from(key: ApiKey) -> frozenset[str]:
    """Return what a key that manages the installation may do nowhere, for want of a scope of its own."""
    return NOT_INCLUDED - key_rights(key)


def rights_of_actor(actor: Actor, team_id: uuid.UUID) -> frozenset[str] | None:
    """Return what somebody may do in the team now; None for the installation itself, which needs no leave."""
    if actor.kind == "system":
        return None
    if actor.kind == "user" and actor.id:
        user = only(User.objects.filter(pk=actor.id))
        return rights_in_team(user, team_id) if user else frozenset()
    if actor.kind == "key" and actor.id:
        key = only(ApiKey.objects.select_related("owner").filter(pk=actor.id))
        if key is not None and manages_installation(key):
            return ALL_RIGHTS - withheld_from(key)
        return key_rights(key) if key is not None and key.team_id == team_id else frozenset()
    return frozenset()


def must_set_up_two_factor(user: User) -> bool:
    """Return whether one of the person's teams requires a second factor that the person does not have."""
    # Two plain questions, the second seldom asked.
    return (
        sql.is_required_two_factor(user.pk)
        and not Authenticator.objects.filter(user=user, type__in=SECOND_FACTORS).exists()
    )
