"""From a key to an Asker, against a snapshot. Why a key is refused is for the log; the caller hears one sentence."""

import datetime as dt

from console.core.errors import NotAllowed, NotSignedIn
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker
from console.teams import keys
from console.teams.callers import REFUSED
from console.teams.shapes import KeyShape


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


class KeyRefused(NotSignedIn):
    """The fixed 401. `reason` is for the log; `is_noise`: no key of ours is concerned, so it is only counted."""

    def __init__(self, reason: str, key: KeyShape | None = None) -> None:
        super().__init__(REFUSED, headers={"WWW-Authenticate": 'Bearer realm="api"'})
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
        key = snapshot.keys.get(keys.digest(self._text))
        if key is None:
            raise KeyRefused("unknown" if keys.is_well_formed(self._text) else "malformed")
        reason = key.refusal(self._at, self._address)
        if not reason and not key.rights:
            reason = "its owner has no rights in the team any more"
        if reason:
            raise KeyRefused(reason, key)
        if "use_models" not in key.rights:
            raise ScopeMissing(key)
        return Asker(
            team=key.team,
            environment=key.environment,
            actor_kind="key",
            actor_id=key.id,
            actor=key.name,
            key=key,
            aliases=key.aliases,
        )
