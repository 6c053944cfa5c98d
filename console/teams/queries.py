"""Queries of the pages of teams."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from allauth.mfa.models import Authenticator
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Lower

from console.core.clock import now
from console.teams.actors import Actor
from console.teams.models import ApiKey, Invitation, Membership, Role, Team, User
from console.teams.rights import SECOND_FACTORS
from console.teams.roles import RIGHTS

PAGE = 50
# A key that ends within this time is shown as ending, so that somebody rotates it before its users notice.
ENDING = dt.timedelta(days=14)
# A key nobody used for so long is worth a look.
STALE = dt.timedelta(days=90)

STATES = {"active": "Active", "ending": "Ends soon", "stopped": "Stopped", "expired": "Expired", "revoked": "Revoked"}
_TONES = {"active": "ok", "ending": "warn", "stopped": "bad", "expired": "", "revoked": ""}
RIGHT_WORDS = {
    "use_models": "Call models",
    "view_usage": "See usage and quotas",
    "view_audit": "See the audit log",
    "read_content": "Read its content",
    "build": "Build prompts and agents",
    "approve": "Decide approvals",
    "manage_keys": "Manage API keys",
    "manage_quotas": "Manage quotas",
    "manage_members": "Manage members",
    "manage_team": "Change the team",
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key with the state its users meet, and why it is in it."""

    key: ApiKey
    state: str
    why: str = ""

    @property
    def label(self) -> str:
        return STATES[self.state]

    @property
    def tone(self) -> str:
        return _TONES[self.state]

    @property
    def is_usable(self) -> bool:
        return self.state in {"active", "ending"}

    @property
    def is_over(self) -> bool:
        return self.state in {"expired", "revoked"}

    @property
    def is_stale(self) -> bool:
        used = self.key.last_used_at or self.key.created_at
        return self.is_usable and now() - used > STALE


@dataclass(frozen=True, slots=True)
class KeyPage:
    rows: list[KeyRow]
    older: str | None
    is_first: bool
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def _answered_for() -> Q:
    """Match keys of the installation, and keys whose owner is active and in the team, or an operator."""
    member = Exists(Membership.objects.filter(team=OuterRef("team"), user=OuterRef("owner")))
    return Q(owner=None, was_personal=False) | (Q(owner__is_active=True) & (Q(owner__is_superuser=True) | Q(member)))


def _in_state(state: str, moment: dt.datetime) -> Q:
    lives = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=moment))
    ends = Q(expires_at__lte=moment + ENDING)
    return {
        "revoked": Q(revoked_at__isnull=False),
        "expired": Q(revoked_at=None, expires_at__lte=moment),
        "stopped": lives & ~_answered_for(),
        "ending": lives & _answered_for() & ends,
        "active": lives & _answered_for() & ~ends,
        "usable": lives & _answered_for(),
    }[state]


def key_row(key: ApiKey, moment: dt.datetime | None = None) -> KeyRow:
    """Return a key with its state. Unless it was annotated with `is_answered_for`, that costs a query."""
    moment = moment or now()
    if key.revoked_at:
        return KeyRow(key, "revoked", "Replaced by a new key" if key.replaced_by_id else "")
    if key.expires_at and key.expires_at <= moment:
        return KeyRow(key, "expired", "Replaced by a new key" if key.replaced_by_id else "")
    if not _is_answered_for(key):
        return KeyRow(key, "stopped", _why_stopped(key))
    if key.expires_at and key.expires_at <= moment + ENDING:
        return KeyRow(key, "ending", "A new key has replaced it" if key.replaced_by_id else "")
    return KeyRow(key, "active")


def _is_answered_for(key: ApiKey) -> bool:
    if hasattr(key, "is_answered_for"):
        return bool(key.is_answered_for)
    return ApiKey.objects.filter(_answered_for(), pk=key.pk).exists()


def _why_stopped(key: ApiKey) -> str:
    if key.owner is None:
        return "Nobody answers for it any more"
    if not key.owner.is_active:
        return f"{key.owner} is disabled"
    return f"{key.owner} is no longer in the team"


def keys_page(
    keys: QuerySet[ApiKey], *, team: Team | None, environment: str, state: str, text: str, cursor: uuid.UUID | None
) -> KeyPage:
    """Return one page of keys, newest first. `keys` is what the caller may see; the cursor is the last id seen."""
    moment = now()
    if team:
        keys = keys.filter(team=team)
    counts = keys.aggregate(**{name: Count("pk", filter=_in_state(name, moment)) for name in STATES})
    if environment:
        keys = keys.filter(environment=environment)
    if text:
        keys = keys.filter(Q(name__icontains=text) | Q(last4=text.removeprefix("…")[-4:]))
    if state:
        keys = keys.filter(_in_state(state, moment))
    if cursor:
        keys = keys.filter(pk__lt=cursor)
    found = list(keys.annotate(is_answered_for=_answered_for()).order_by("-pk")[: PAGE + 1])
    rows = [key_row(key, moment) for key in found[:PAGE]]
    older = str(found[PAGE - 1].pk) if len(found) > PAGE else None
    return KeyPage(rows, older, cursor is None, counts)


@dataclass(frozen=True, slots=True)
class TeamRow:
    team: Team
    members: int
    keys: int
    limits: int
    people: list[User]
    role: str


def team_rows(teams: QuerySet[Team], user: User | None) -> list[TeamRow]:
    """Return the teams with what is in them. Four queries, however many teams there are."""
    found = list(teams)
    ids = [team.pk for team in found]
    people: dict[uuid.UUID, list[User]] = {}
    roles: dict[uuid.UUID, str] = {}
    for membership in Membership.objects.filter(team__in=ids).select_related("user").order_by("created_at", "id"):
        people.setdefault(membership.team_id, []).append(membership.user)
        if user and membership.user_id == user.pk:
            roles[membership.team_id] = membership.get_role_display()
    keys = ApiKey.objects.filter(_in_state("usable", now()), team__in=ids).order_by()
    key_counts = dict(keys.values_list("team").annotate(Count("pk")))
    limit_counts = dict(Team.objects.filter(pk__in=ids).order_by().values_list("pk").annotate(Count("quotas")))
    return [
        TeamRow(
            team=team,
            members=len(people.get(team.pk, [])),
            keys=key_counts.get(team.pk, 0),
            limits=limit_counts.get(team.pk, 0),
            people=people.get(team.pk, [])[:4],
            role=roles.get(team.pk, ""),
        )
        for team in found
    ]


@dataclass(frozen=True, slots=True)
class MemberRow:
    membership: Membership
    has_two_factor: bool
    keys: int


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One line of the table of rights: what, and for each role whether."""

    right: str
    allowed: list[tuple[str, bool]]


def owner_of(key_id: uuid.UUID | None) -> uuid.UUID | None:
    """Return who answers for a key now; None where nobody does, or there is no such key."""
    return ApiKey.objects.filter(pk=key_id).values_list("owner_id", flat=True).first() if key_id else None


def person_behind(actor: Actor) -> uuid.UUID | None:
    """Return the person whose rights stand behind what an actor does: of a key, who answers for it."""
    if actor.kind == "key":
        return owner_of(actor.id)
    return actor.id if actor.kind == "user" else None


@dataclass(frozen=True, slots=True)
class TeamPage:
    team: Team
    members: list[MemberRow]
    invitations: list[Invitation]
    keys: int
    limits: int
    rights: list[RoleRow] = field(default_factory=list)

    @property
    def without_two_factor(self) -> int:
        return sum(not row.has_two_factor for row in self.members)


def team_page(team: Team, *, with_invitations: bool) -> TeamPage:
    two_factor = Exists(Authenticator.objects.filter(user=OuterRef("user"), type__in=SECOND_FACTORS))
    usable = ApiKey.objects.filter(_in_state("usable", now()), team=team)
    owned = dict(usable.exclude(owner=None).order_by().values_list("owner").annotate(Count("pk")))
    members = (
        Membership.objects.filter(team=team)
        .select_related("user")
        .annotate(has_two_factor=two_factor)
        .order_by(Lower("user__name"), "user__email")
    )
    invitations = Invitation.objects.filter(team=team, accepted_at=None, revoked_at=None).select_related("invited_by")
    return TeamPage(
        team=team,
        members=[MemberRow(m, m.has_two_factor, owned.get(m.user_id, 0)) for m in members],
        invitations=list(invitations.order_by("-created_at", "-id")) if with_invitations else [],
        keys=usable.count(),
        limits=Team.objects.filter(pk=team.pk).aggregate(n=Count("quotas"))["n"],
        rights=rights_table(),
    )


def rights_table() -> list[RoleRow]:
    return [
        RoleRow(words, [(Role(role).label, right in RIGHTS[role]) for role in Role.values])
        for right, words in RIGHT_WORDS.items()
    ]


def keys_of(user: User, team: Team | None = None) -> list[ApiKey]:
    """Return the keys that work now and stop when the person leaves the team, or is disabled."""
    keys = ApiKey.objects.filter(_in_state("usable", now()), owner=user).select_related("team").order_by("name")
    return list(keys.filter(team=team) if team else keys)


@dataclass(frozen=True, slots=True)
class PeoplePage:
    people: Sequence[User]
    older: str | None
    is_first: bool


def people_page(people: QuerySet[User], *, text: str, state: str, cursor: uuid.UUID | None) -> PeoplePage:
    if text:
        people = people.filter(Q(name__icontains=text) | Q(email__icontains=text))
    if state == "disabled":
        people = people.filter(is_active=False)
    elif state == "operators":
        people = people.filter(is_superuser=True, is_active=True)
    if cursor:
        people = people.filter(pk__lt=cursor)
    two_factor = Exists(Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_FACTORS))
    teams = Prefetch("teams", Team.objects.filter(archived_at=None))
    people = people.annotate(has_two_factor=two_factor).prefetch_related(teams).order_by("-pk")
    found = list(people[: PAGE + 1])
    return PeoplePage(found[:PAGE], str(found[PAGE - 1].pk) if len(found) > PAGE else None, cursor is None)
