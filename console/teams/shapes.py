"""The teams, people and keys in the gateway's snapshot: plain values, no rows."""

import datetime as dt
import ipaddress
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from guardian.models import UserObjectPermission

from console.teams.lineage import chain_of
from console.teams.models import ApiKey, Team, User
from console.teams.roles import EXACT_MODELS, SCOPES, rights_of_key

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TeamShape:
    id: uuid.UUID
    slug: str
    name: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class KeyShape:
    """A key as a call sees it. `refused` is the reason it opens nothing, for the log only; empty for a good key."""

    id: uuid.UUID
    team: TeamShape
    name: str
    shown: str
    environment: str
    rights: frozenset[str]
    aliases: frozenset[str]
    # Exact versions (`provider/name`) besides aliases.
    may_call_exact: bool
    max_lane: str
    unknown_fields: str  # pass, drop or refuse; empty: the installation's setting
    unknown_fields_by_operator: bool  # so it holds although it is laxer than that
    networks: tuple[Network, ...]
    expires_at: dt.datetime | None
    # The key that continues with what this one began, once it has expired; none of a revoked one.
    replaced_by: uuid.UUID | None
    refused: str
    # Which key each key replaced: one for all. Every key with its whole line of its own costs the square of its length.
    older: Mapping[uuid.UUID, uuid.UUID] = field(repr=False, compare=False)

    @property
    def own_keys(self) -> frozenset[uuid.UUID]:
        """Itself, and the keys that were rotated into it: what those made is its own, too."""
        return frozenset(chain_of(self.id, self.older))

    @property
    def first_key(self) -> uuid.UUID:
        """The key that all of its line were rotated from: what is said once is said once by them all."""
        return chain_of(self.id, self.older)[-1]

    def has_expired(self, moment: dt.datetime) -> bool:
        return self.expires_at is not None and moment >= self.expires_at

    def refusal(self, moment: dt.datetime, client_address: str) -> str:
        """Return why the key opens nothing at this moment and from this address; empty when it does."""
        if self.refused:
            return self.refused
        if self.has_expired(moment):
            return "the key has expired"
        if self.networks:
            try:
                address = ipaddress.ip_address(client_address)
            except ValueError:
                return "the client's address is unknown and the key is limited to networks"
            if not any(address in network for network in self.networks if network.version == address.version):
                return "the client's address is outside the key's networks"
        return ""

    def may_go_on(self, moment: dt.datetime, client_address: str) -> bool:
        """Return whether what was begun with the key may continue at this moment."""
        return "use_models" in self.rights and not self.refusal(moment, client_address)


@dataclass(frozen=True, slots=True)
class PersonShape:
    """Somebody who may call models: an operator for every team, others for the teams named here."""

    id: uuid.UUID
    name: str
    is_operator: bool
    teams: frozenset[uuid.UUID]

    def may_call_for(self, team_id: uuid.UUID) -> bool:
        return self.is_operator or team_id in self.teams


def people_shapes() -> dict[uuid.UUID, PersonShape]:
    """Return everybody active who may call models for some team, in two queries."""
    rows = UserObjectPermission.objects.filter(
        content_type__app_label="teams", content_type__model="team", permission__codename="use_models"
    ).values_list("user_id", "object_pk")
    teams: dict[uuid.UUID, set[uuid.UUID]] = {}
    for user_id, team_id in rows:
        teams.setdefault(user_id, set()).add(uuid.UUID(team_id))
    return {
        user.pk: PersonShape(user.pk, str(user), user.is_superuser, frozenset(teams.get(user.pk, ())))
        for user in User.objects.filter(is_active=True).only("id", "name", "email", "is_superuser")
        if user.is_superuser or user.pk in teams
    }


def team_shapes() -> dict[uuid.UUID, TeamShape]:
    return {
        team.pk: TeamShape(team.pk, team.slug, team.name, team.archived_at is None)
        for team in Team.objects.only("id", "slug", "name", "archived_at")
    }


def _refused(key: ApiKey, team: TeamShape, owner: User | None) -> str:
    if key.revoked_at is not None:
        return "the key is revoked"
    if not team.is_open:
        return "the team is archived"
    if owner is not None and not owner.is_active:
        return "the key's owner is disabled"
    if owner is None and key.was_personal:
        return "the key's owner is gone"
    return ""


def _rights_of_owners() -> dict[tuple[uuid.UUID, uuid.UUID], frozenset[str]]:
    """Return the rights of everybody who answers for a key, by (person, team), in one query."""
    rows = UserObjectPermission.objects.filter(
        user__api_keys__isnull=False, content_type__app_label="teams", content_type__model="team"
    ).values_list("user_id", "object_pk", "permission__codename")
    found: dict[tuple[uuid.UUID, uuid.UUID], set[str]] = {}
    for user_id, team_id, right in rows.distinct():
        found.setdefault((user_id, uuid.UUID(team_id)), set()).add(right)
    return {key: frozenset(rights) for key, rights in found.items()}


def key_shapes(teams: dict[uuid.UUID, TeamShape]) -> dict[bytes, KeyShape]:
    """Return every key by its digest, revoked ones too, so that the log can say why one was refused."""
    rights = _rights_of_owners()
    found = {}
    keys = list(ApiKey.objects.select_related("owner"))
    older = {key.replaced_by_id: key.pk for key in keys if key.replaced_by_id is not None}
    for key in keys:
        team, owner = teams[key.team_id], key.owner
        owner_rights = None  # nothing to intersect with: a key of the installation, or an operator's
        if owner is not None and not owner.is_operator:
            owner_rights = rights.get((owner.pk, key.team_id), frozenset())
        key_rights = rights_of_key(key.scopes, owner_rights)
        found[bytes(key.digest)] = KeyShape(
            id=key.pk,
            team=team,
            name=key.name,
            shown=key.shown,
            environment=key.environment,
            rights=key_rights,
            aliases=frozenset(key.aliases),
            may_call_exact=EXACT_MODELS in key.scopes and SCOPES[EXACT_MODELS] in key_rights,
            max_lane=key.max_lane,
            unknown_fields=key.unknown_fields,
            unknown_fields_by_operator=key.unknown_fields_by_operator,
            networks=tuple(ipaddress.ip_network(n) for n in key.networks),
            expires_at=key.expires_at,
            replaced_by=key.replaced_by_id if key.revoked_at is None else None,
            refused=_refused(key, team, owner),
            older=older,
        )
    return found
