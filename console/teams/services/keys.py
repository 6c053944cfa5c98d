"""Make, change, rotate and revoke API keys."""

import datetime as dt
from collections.abc import Sequence

from django.db import transaction

from console.audit import actions
from console.audit.services import record
from console.core.errors import BadInput
from console.teams import keys
from console.teams.callers import Actor
from console.teams.models import ApiKey, Environment, Team, User
from console.teams.roles import DEFAULT_SCOPES, SCOPES


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
    expires_at: dt.datetime | None = None,
) -> tuple[ApiKey, str]:
    """Create a key and return it with its full text, which is shown once and not kept."""
    if environment not in Environment.values:
        raise BadInput(f"{environment!r} is not an environment; choose production or sandbox.", param="environment")
    for scope in scopes:
        if scope not in SCOPES:
            raise BadInput(f"{scope!r} is not a scope; choose from {', '.join(SCOPES)}.", param="scopes")
    text = keys.generate(environment)
    key = ApiKey.objects.create(
        team=team,
        name=name,
        environment=environment,
        digest=keys.digest(text),
        prefix=keys.PREFIXES[environment],
        last4=text[-4:],
        scopes=list(scopes),
        aliases=list(aliases),
        networks=list(networks),
        owner=owner,
        was_personal=owner is not None,
        expires_at=expires_at,
    )
    record(
        actions.KEY_CREATED,
        actor=actor,
        target=key,
        target_name=f"{name} {key.shown}",
        detail={"after": {"environment": environment, "scopes": list(scopes), "aliases": list(aliases)}},
    )
    return key, text
