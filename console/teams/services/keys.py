"""Create, change, rotate, hand over and revoke API keys."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Greatest

from console.audit import actions
from console.audit.services import changes, record
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.lanes import Lane
from console.core.races import hold
from console.teams import keys
from console.teams.actors import Actor
from console.teams.models import ApiKey, Environment, Team, UnknownFields, User
from console.teams.roles import DEFAULT_SCOPES
from console.teams.services.key_checks import (
    check_name,
    check_owner,
    check_scopes,
    check_unknown_fields,
    speaks_for_installation,
)
from console.teams.services.key_limits import Limits, check_lane, check_limits, check_within, limits_of, wider

# How long the old key may continue after a rotation.
OVERLAPS: dict[str, dt.timedelta] = {
    "0": dt.timedelta(),
    "1h": dt.timedelta(hours=1),
    "24h": dt.timedelta(hours=24),
    "7d": dt.timedelta(days=7),
}
_END_OF_TIME = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)


def _once(values: Sequence[str]) -> list[str]:
    """Return each of these once, in their order."""
    return list(dict.fromkeys(values))


def _make(**fields: Any) -> tuple[ApiKey, str]:
    text = keys.generate(fields["environment"])
    key = ApiKey.objects.create(
        digest=keys.digest(text), prefix=keys.PREFIXES[fields["environment"]], last4=text[-4:], **fields
    )
    return key, text


def _facts(key: ApiKey) -> dict[str, Any]:
    """Return what the log says about a key."""
    return {
        "name": key.name,
        "scopes": key.scopes,
        "aliases": key.aliases,
        "networks": key.networks,
        "max_lane": key.max_lane,
        "unknown_fields": key.unknown_fields,
        "unknown_fields_by_operator": key.unknown_fields_by_operator,
        "expires_at": key.expires_at,
    }


def _label(key: ApiKey) -> str:
    return f"{key.name} {key.shown}"


@transaction.atomic
def create_key(
    *,
    actor: Actor,
    team: Team,
    name: str,
    environment: str,
    scopes: Sequence[str] = DEFAULT_SCOPES,
    owner: User | None = None,
    aliases: Sequence[str] = (),
    networks: Sequence[str] = (),
    max_lane: str = Lane.INTERACTIVE,
    unknown_fields: str = UnknownFields.INSTALLATION,
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key and return it with its full text, which is shown once and not kept.

    `owner` answers for it, and the key can never do more than this person may. Without one it is the actor; a key made
    by a key answers to the same person, or, like keys the installation makes, to nobody.
    """
    if environment not in Environment.values:
        raise BadInput(f"{environment!r} is not an environment; choose production or sandbox.", param="environment")
    name = check_name(name)
    check_scopes(actor, team, scopes)
    if owner is None and actor.kind == "user":
        owner = User.objects.get(pk=actor.id or "")
    elif owner is None and actor.kind == "key":
        owner = ApiKey.objects.select_related("owner").get(pk=actor.id or "").owner
    check_owner(team, owner)
    networks = check_limits(aliases, networks, expires_at)
    check_lane(max_lane)
    check_within(actor, Limits(environment, aliases, networks, max_lane, expires_at))
    check_unknown_fields(actor, unknown_fields)
    key, text = _make(
        team=team,
        name=name,
        environment=environment,
        scopes=_once(scopes),
        aliases=_once(aliases),
        networks=_once(networks),
        max_lane=max_lane,
        unknown_fields=unknown_fields,
        unknown_fields_by_operator=bool(unknown_fields) and speaks_for_installation(actor),
        owner=owner,
        was_personal=owner is not None,
        expires_at=expires_at,
    )
    record(
        actions.KEY_CREATED,
        actor=actor,
        target=key,
        target_name=_label(key),
        detail={"after": {**_facts(key), "environment": environment, "owner": str(owner) if owner else None}},
    )
    return key, text


def lock_key(key: ApiKey) -> ApiKey:
    """Return the key as it is now, held until commit; a revoked one cannot be changed any more."""
    key = hold(key, "team", "owner")
    if key.revoked_at is not None:
        raise Conflict(f"{key.name} has been revoked and cannot be changed any more.")
    return key


@transaction.atomic
def change_key(
    *,
    actor: Actor,
    key: ApiKey,
    name: str,
    scopes: Sequence[str],
    aliases: Sequence[str] = (),
    networks: Sequence[str] = (),
    max_lane: str | None = None,
    unknown_fields: str | None = None,
    expires_at: dt.datetime | None = None,
    seen_revision: int | None = None,
) -> ApiKey:
    """Give a key another name or other limits. With `seen_revision`, Overtaken when somebody changed them since.

    Scopes can only be added by somebody who has them, and a limit only be loosened by somebody who has all that the key
    may do: they could have made it. What an operator said of unknown fields stays while others say nothing else.
    """
    key = lock_key(key)
    check_revision(key, key.revision, seen_revision)
    before = _facts(key)
    added = [scope for scope in scopes if scope not in key.scopes]
    if added or not scopes:
        check_scopes(actor, key.team, added or scopes)
    networks = check_limits(aliases, networks, expires_at if expires_at != key.expires_at else None)
    lane = key.max_lane if max_lane is None else check_lane(max_lane)
    after = Limits(key.environment, aliases, networks, lane, expires_at)
    if wider(limits_of(key), after):
        check_scopes(actor, key.team, scopes)
        check_within(actor, after)
    key.name, key.scopes, key.aliases = check_name(name), _once(scopes), _once(aliases)
    key.networks, key.max_lane, key.expires_at = _once(networks), lane, expires_at
    if unknown_fields is not None:
        word = check_unknown_fields(actor, unknown_fields, before=key.unknown_fields)
        if word != key.unknown_fields or speaks_for_installation(actor):
            key.unknown_fields_by_operator = bool(word) and speaks_for_installation(actor)
        key.unknown_fields = word
    difference = changes(before, _facts(key))
    if difference["after"]:
        key.revision += 1
        key.save(update_fields=[*before, "revision"])
        record(actions.KEY_CHANGED, actor=actor, target=key, target_name=_label(key), detail=difference)
    return key


@transaction.atomic
def rotate_key(*, actor: Actor, key: ApiKey, overlap: dt.timedelta = dt.timedelta()) -> tuple[ApiKey, str]:
    """Make a new key with the same name and limits; the old one continues for `overlap`, then ends.

    Only somebody who could have made the key may rotate it: they are shown the new one. It lives as long as the old one
    was meant to when it was made; so a key that may make keys can also follow itself.
    """
    key = lock_key(key)
    moment = now()
    if key.replaced_by_id is not None:
        raise Conflict(f"{key.name} has been rotated already; rotate the key that replaced it.")
    if key.expires_at is not None and key.expires_at <= moment:
        raise Conflict(f"{key.name} has expired; create a new key.")
    if not dt.timedelta() <= overlap <= max(OVERLAPS.values()):
        raise BadInput("The old key can go on for up to seven days.", param="overlap")
    check_scopes(actor, key.team, key.scopes)
    check_owner(key.team, key.owner)
    lives_until = None
    if key.expires_at is not None:
        lives_until = moment + min(key.expires_at - key.created_at, _END_OF_TIME - moment)
    if actor.id != key.pk:
        check_within(actor, limits_of(key)._replace(expires_at=lives_until))
    new, text = _make(
        team=key.team,
        name=key.name,
        environment=key.environment,
        scopes=key.scopes,
        aliases=key.aliases,
        networks=key.networks,
        max_lane=key.max_lane,
        unknown_fields=key.unknown_fields,
        unknown_fields_by_operator=key.unknown_fields_by_operator,
        owner=key.owner,
        was_personal=key.was_personal,
        expires_at=lives_until,
    )
    key.replaced_by = new
    if overlap:
        key.expires_at = min(moment + overlap, key.expires_at or moment + overlap)
    else:
        key.revoked_at = moment
    key.revision += 1  # its end is one of its limits
    key.save(update_fields=["replaced_by", "expires_at", "revoked_at", "revision"])
    record(
        actions.KEY_ROTATED,
        actor=actor,
        target=key,
        target_name=_label(key),
        detail={"after": {"new_key": new.shown, "old_key_ends_at": key.revoked_at or key.expires_at}},
    )
    return new, text


@transaction.atomic
def revoke_key(*, actor: Actor, key: ApiKey) -> ApiKey:
    """End a key for good, from the next call on."""
    key = lock_key(key)
    key.revoked_at = now()
    key.save(update_fields=["revoked_at"])
    record(actions.KEY_REVOKED, actor=actor, target=key, target_name=_label(key))
    return key


@transaction.atomic
def hand_over_key(*, actor: Actor, key: ApiKey, owner: User) -> ApiKey:
    """Make another member answer for a key. It may come back to life, so the actor must have its scopes."""
    key = lock_key(key)
    check_scopes(actor, key.team, key.scopes)
    check_owner(key.team, owner)
    before = str(key.owner) if key.owner else None
    if key.owner == owner:
        return key
    key.owner, key.was_personal = owner, True
    key.save(update_fields=["owner", "was_personal"])
    record(
        actions.KEY_CHANGED,
        actor=actor,
        target=key,
        target_name=_label(key),
        detail=changes({"owner": before}, {"owner": str(owner)}),
    )
    return key


def touch(used: Mapping[uuid.UUID, dt.datetime]) -> int:
    """Remember when keys were last used: one statement, never backwards, no audit line and no new epoch."""
    if not used:
        return 0
    latest = Case(*(When(pk=pk, then=Value(moment)) for pk, moment in used.items()))
    return (
        ApiKey.objects.filter(pk__in=used)
        .filter(Q(last_used_at=None) | Q(last_used_at__lt=latest))
        .update(last_used_at=Greatest(F("last_used_at"), latest))
    )
