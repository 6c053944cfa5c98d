"""Resolve a key or a person to an Asker, against a snapshot.

Why a key is refused is for the log; the caller hears one sentence. People are told.
"""

import datetime as dt
import uuid

from console.core.errors import NotAllowed, NotSignedIn
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker
from console.teams import keys
from console.teams.callers import REFUSED
from console.teams.shapes import KeyShape, PersonShape, TeamShape


def _record_of(key: KeyShape) -> dict[str, object]:
    """Return what the log's line says of a key that was refused."""
    return {
        "key_id": key.id,
        "key": key.shown,
        "team_id": key.team.id,
        "team": key.team.name,
        "actor_kind": "key",
        "actor_id": key.id,
        "actor": key.name,
        "environment": key.environment,
    }


_MISSING = "No API key was sent. Send one as `Authorization: Bearer <key>`; the console's page API keys makes them."


class KeyRefused(NotSignedIn):
    """A 401 that is the same for every key that was sent.

    `reason` is for the log; `is_noise`: no key of ours is concerned, so it is only counted.
    """

    def __init__(self, reason: str, key: KeyShape | None = None) -> None:
        sentence = _MISSING if reason == "missing" else REFUSED
        super().__init__(sentence, headers={"WWW-Authenticate": 'Bearer realm="api"'})
        self.reason = reason
        self.is_noise = key is None
        self.record = {} if key is None else _record_of(key)


class ScopeMissing(NotAllowed):
    """A good key that may do other things than call models."""

    code = "scope_missing"

    def __init__(self, key: KeyShape) -> None:
        super().__init__("This key does not have the scope models:call.")
        self.record = _record_of(key)


class KeyIdentity:
    """Resolves one key text for one request; called again with each newer snapshot."""

    __slots__ = ("_address", "_at", "_text")

    def __init__(self, text: str | None, client_address: str, at: dt.datetime) -> None:
        self._text, self._address, self._at = text, client_address, at

    def __call__(self, snapshot: Snapshot) -> Asker:
        if self._text is None:
            raise KeyRefused("missing")
        digest = keys.digest(self._text)
        key = snapshot.keys.get(digest)
        if key is None:
            raise KeyRefused("unknown" if keys.is_well_formed(self._text) else "malformed")
        _check(key, self._at, self._address)
        asker = snapshot.askers.get(digest)
        if asker is None:
            asker = snapshot.askers[digest] = _asker_of(key)
        return asker


def _check(key: KeyShape, at: dt.datetime, client_address: str) -> None:
    """Refuse a key that is not good at this moment, from this address or for calling models."""
    reason = key.refusal(at, client_address)
    if not reason and not key.rights:
        reason = "its owner has no rights in the team any more"
    if reason:
        raise KeyRefused(reason, key)
    if "use_models" not in key.rights:
        raise ScopeMissing(key)


def _asker_of(key: KeyShape) -> Asker:
    return Asker(
        team=key.team,
        environment=key.environment,
        actor_kind="key",
        actor_id=key.id,
        actor=key.name,
        terms={},
        key=key,
        aliases=key.aliases,
        may_call_exact=key.may_call_exact,
    )


def successor_of(snapshot: Snapshot, key_id: uuid.UUID, at: dt.datetime) -> KeyShape | None:
    """Return the key that continues with what was begun with a key: itself, or once it has expired the one after it."""
    visited = {key_id}
    key = snapshot.keys_by_id.get(key_id)
    while key is not None and key.has_expired(at) and key.replaced_by is not None and key.replaced_by not in visited:
        visited.add(key.replaced_by)
        key = snapshot.keys_by_id.get(key.replaced_by)
    return key


class StartedByKey:
    """Resolves the key that started work which continues after its request, or the one it was rotated into.

    At each call again, as they are then.
    """

    __slots__ = ("_address", "_at", "_key_id")

    def __init__(self, key_id: uuid.UUID, client_address: str, at: dt.datetime) -> None:
        self._key_id, self._address, self._at = key_id, client_address, at

    def __call__(self, snapshot: Snapshot) -> Asker:
        key = successor_of(snapshot, self._key_id, self._at)
        if key is None:
            raise KeyRefused("unknown")
        _check(key, self._at, self._address)
        return _asker_of(key)


class PersonRefused(NotAllowed):
    """A person who may not call models for the team, or not any more."""

    def __init__(self, sentence: str, record: dict[str, object]) -> None:
        super().__init__(sentence)
        self.record = record


class PersonIdentity:
    """Resolves a person who calls for one of their teams; again with each newer snapshot, as rights may end."""

    __slots__ = ("_environment", "_team_id", "_user_id")

    def __init__(self, user_id: uuid.UUID, team_id: uuid.UUID, environment: str) -> None:
        self._user_id, self._team_id, self._environment = user_id, team_id, environment

    def __call__(self, snapshot: Snapshot) -> Asker:
        person, team = snapshot.people.get(self._user_id), snapshot.teams.get(self._team_id)
        if person is None or team is None or not person.may_call_for(team.id):
            raise self._refused(
                "You may not call models for this team. An owner of the team can change your role.", person, team
            )
        if not team.is_open:
            raise self._refused(f"{team.name} is archived, so nobody calls models for it.", person, team)
        # Past what operators decided for a team reach operators only; a key needs a scope they give.
        return Asker(
            team=team,
            environment=self._environment,
            actor_kind="user",
            actor_id=person.id,
            actor=person.name,
            terms={},
            may_call_exact=person.is_operator,
        )

    def _refused(self, sentence: str, person: PersonShape | None, team: TeamShape | None) -> PersonRefused:
        record: dict[str, object] = {
            "actor_kind": "user",
            "actor_id": self._user_id,
            "actor": person.name if person else "",
            "environment": self._environment,
        }
        return PersonRefused(sentence, record | ({"team_id": team.id, "team": team.name} if team else {}))
