"""Create and change teams and memberships."""

from collections import Counter

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from guardian.models import UserObjectPermission

from console.audit import actions
from console.audit.services import changes, record, take_turn
from console.core.clock import now
from console.core.errors import BadInput, Conflict, NotAllowed, check_revision
from console.core.formatting import with_article
from console.core.races import hold, insert
from console.teams.actors import Actor
from console.teams.models import ApiKey, Membership, Role, Team, User
from console.teams.rights import rights_of_actor
from console.teams.roles import RIGHTS
from console.teams.services.keys import hand_over_key


def _grant(team: Team, user: User, rights: frozenset[str]) -> None:
    """Make the person's guardian permissions on the team exactly these."""
    kind = ContentType.objects.get_for_model(Team)
    mine = UserObjectPermission.objects.filter(user=user, content_type=kind, object_pk=str(team.pk))
    have = dict(mine.values_list("permission__codename", "pk"))
    if too_many := [pk for codename, pk in have.items() if codename not in rights]:
        mine.filter(pk__in=too_many).delete()
    if missing := rights - have.keys():
        UserObjectPermission.objects.bulk_create(
            UserObjectPermission(user=user, content_type=kind, object_pk=str(team.pk), permission=p)
            for p in Permission.objects.filter(content_type=kind, codename__in=missing)
        )


def check_role(actor: Actor, team: Team, role: str) -> None:
    """Refuse a role that does not exist, or that holds more rights than the one who gives it."""
    if role not in Role.values:
        raise BadInput(f"{role!r} is not a role; choose one of {', '.join(Role.values)}.", param="role")
    rights = rights_of_actor(actor, team.pk)
    if rights is not None and not RIGHTS[role] <= rights:
        message = f"You cannot make somebody {with_article(role)} without having all of that role's rights."
        raise NotAllowed(message, param="role")


def _free_colour() -> int:
    """Return the slot that the fewest teams have, so that teams can be told apart as long as there are slots."""
    taken = Counter(Team.objects.values_list("colour", flat=True))
    return min(range(1, 5), key=lambda slot: (taken[slot], slot))


@transaction.atomic
def create_team(*, actor: Actor, name: str, slug: str, colour: int | None = None, is_demo: bool = False) -> Team:
    """Create a team; its first owner is added by `add_member`."""
    team = Team(name=name, slug=slug, colour=colour or _free_colour(), is_demo=is_demo)
    insert(team, Conflict(f"There is a team with the short name {slug!r} already; choose another.", param="slug"))
    record(actions.TEAM_CREATED, actor=actor, target=team, detail={"after": {"name": name, "slug": slug}})
    return team


@transaction.atomic
def change_team(
    *,
    actor: Actor,
    team: Team,
    name: str | None = None,
    requires_two_factor: bool | None = None,
    seen_revision: int | None = None,
) -> Team:
    """Rename a team, or require two-factor sign-in of its members from their next request on.

    What is not given stays as it is by now. With `seen_revision`, Overtaken when somebody changed the team since.
    """
    team = hold(team)
    check_revision(team, team.revision, seen_revision)
    name = team.name if name is None else name.strip()
    requires_two_factor = team.requires_two_factor if requires_two_factor is None else requires_two_factor
    if not name or len(name) > 120:
        raise BadInput("Give the team a name of up to 120 characters.", param="name")
    before = {"name": team.name, "requires_two_factor": team.requires_two_factor}
    difference = changes(before, {"name": name, "requires_two_factor": requires_two_factor})
    if difference["after"]:
        team.name, team.requires_two_factor, team.revision = name, requires_two_factor, team.revision + 1
        team.save(update_fields=["name", "requires_two_factor", "revision"])
        record(actions.TEAM_CHANGED, actor=actor, target=team, detail=difference)
    return team


@transaction.atomic
def archive_team(*, actor: Actor, team: Team) -> Team:
    """Put a team away: nobody sees it, its keys stop with the next call, its records stay."""
    if not Team.objects.filter(pk=team.pk, archived_at=None).update(archived_at=now()):
        raise Conflict(f"{team} is archived already.")
    record(actions.TEAM_ARCHIVED, actor=actor, target=team)
    return team


@transaction.atomic
def add_member(*, actor: Actor, team: Team, user: User, role: str) -> Membership:
    """Make a person a member, with the rights of the role."""
    take_turn()
    check_role(actor, team, role)
    return join(actor=actor, team=team, user=user, role=role)


@transaction.atomic
def join(*, actor: Actor, team: Team, user: User, role: str) -> Membership:
    """Make a person a member on somebody else's word: an invitation, or the identity provider's."""
    take_turn()
    membership, created = Membership.objects.get_or_create(team=team, user=user, defaults={"role": role})
    if not created:
        raise Conflict(f"{user} is a member of {team} already.", param="user")
    _grant(team, user, RIGHTS[role])
    record(
        actions.MEMBER_ADDED, actor=actor, target=membership, target_name=user.email, detail={"after": {"role": role}}
    )
    return membership


def _hold(membership: Membership) -> None:
    """Let nobody else change who is in the team meanwhile, and read again what this member is.

    A role written while the member is taken out would leave rights that no list shows.
    """
    found = Membership.objects.select_for_update(no_key=True).filter(pk=membership.pk).first()
    if found is None:
        raise Conflict(f"{membership.user} is no longer in {membership.team}.")
    take_turn()
    membership.role = found.role


def _keep_an_owner(membership: Membership) -> None:
    others = Membership.objects.filter(team=membership.team, role=Role.OWNER).exclude(pk=membership.pk)
    if membership.role == Role.OWNER and not others.filter(user__is_active=True).exists():
        raise BadInput(f"{membership.user} is the only owner of {membership.team}; make somebody else an owner first.")


@transaction.atomic
def change_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member another role. The last owner stays one."""
    _hold(membership)
    check_role(actor, membership.team, role)
    before = membership.role
    if role != Role.OWNER:
        _keep_an_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    _grant(membership.team, membership.user, RIGHTS[role])
    record(
        actions.MEMBER_CHANGED,
        actor=actor,
        target=membership,
        target_name=membership.user.email,
        detail=changes({"role": before}, {"role": role}),
    )
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, membership: Membership, hand_keys_to: User | None = None) -> None:
    """Take a person out of a team; their rights, and those of their keys, end with it.

    Keys handed to another member continue, with that member's rights.
    """
    keys: list[ApiKey] = []
    if hand_keys_to is not None:
        theirs = ApiKey.objects.filter(team=membership.team, owner=membership.user, revoked_at=None)
        keys = list(theirs.exclude(expires_at__lte=now()).select_for_update(no_key=True, of=("self",)).order_by("pk"))
    _hold(membership)
    _keep_an_owner(membership)
    if hand_keys_to is not None:
        for key in keys:
            hand_over_key(actor=actor, key=key, owner=hand_keys_to)
    _grant(membership.team, membership.user, frozenset())
    record(
        actions.MEMBER_REMOVED,
        actor=actor,
        target=membership,
        target_name=membership.user.email,
        detail={"before": {"role": membership.role}},
    )
    membership.delete()
