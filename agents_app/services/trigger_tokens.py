"""Create and revoke the bearer tokens of a webhook, with the trigger's row locked."""

import datetime as dt

from django.db.models import Q

from agents_app.models import Trigger, TriggerToken
from agents_app.queries.tokens import live
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams import keys
from console.teams.actors import Actor
from console.teams.services.keys import OVERLAPS

MOST_LIVE = 4


def check_given(text: str) -> str:
    """Return a token somebody gives. It has the form of ours: as hard to guess, and kept out of logs."""
    if not keys.is_hook_token(text):
        raise BadInput(
            f"A bearer token begins with {keys.HOOK_PREFIX} and is made by Facet; leave secret out to be shown one.",
            param="secret",
        )
    return text


def add(actor: Actor, trigger: Trigger, token: str | None, overlap: dt.timedelta) -> tuple[TriggerToken, str]:
    """Make a token and return it with its text; those before continue for `overlap` at most."""
    if not dt.timedelta() <= overlap <= max(OVERLAPS.values()):
        raise BadInput("The token before can go on for up to seven days.", param="overlap_hours")
    text = check_given(token) if token is not None else keys.generate_hook_token()
    if TriggerToken.objects.filter(digest=keys.digest(text)).exists():
        raise Conflict("This token is one of a webhook already.")
    end(trigger, overlap)
    if live(trigger).count() >= MOST_LIVE:
        raise Conflict(f"{trigger.name} has {MOST_LIVE} tokens that are good; revoke one first.")
    row = TriggerToken.objects.create(
        trigger=trigger, digest=keys.digest(text), last4=text[-4:], made_by=actor.name[:200]
    )
    return row, text


def end(trigger: Trigger, overlap: dt.timedelta = dt.timedelta()) -> None:
    """End all tokens of a webhook: now, or each after `overlap` unless it ends before."""
    if not overlap:
        live(trigger).update(revoked_at=now())
        return
    until = now() + overlap
    live(trigger).filter(Q(expires_at=None) | Q(expires_at__gt=until)).update(expires_at=until)
