"""Check the bearer token of a webhook whose service cannot sign."""

import datetime as dt
import hmac
import uuid

from django.db import transaction

from agents_app.errors import BadToken, TooManyDeliveries
from agents_app.models import Trigger
from agents_app.queries.tokens import live
from console.core.clock import now, period_start
from console.core.errors import BadInput
from console.teams import keys, refusals
from console.teams.callers import read_key

SIGNATURE, TOKEN = "signature", "token"
WAYS = {SIGNATURE: "A signature over each delivery", TOKEN: "A bearer token"}
MOST_PER_MINUTE = 60


def takes_token(trigger: Trigger) -> bool:
    return bool(trigger.config.get("auth") == TOKEN)


def presented(authorization: str, client_address: str) -> str:
    """Return the token a delivery carries. What has not the form of one is refused, and counted, without a question."""
    try:
        text = read_key(authorization.split(","), ())  # a header sent twice arrives as one
    except BadInput:
        text = ""
    if not text or not keys.is_hook_token(text):
        refusals.note("malformed token of a webhook", client_address=client_address)
        raise BadToken
    return text


@transaction.atomic
def admit(trigger: Trigger, text: str, client_address: str) -> None:
    """Count a delivery by its token; BadToken where it is none of this webhook that is good now."""
    found = _matching(trigger, text)
    token = live(trigger).select_for_update(no_key=True).filter(pk=found).first() if found else None
    if token is None:
        refusals.note("unknown token of a webhook", client_address=client_address)
        raise BadToken
    moment, minute = now(), period_start("minute", now())
    if token.minute_at != minute:
        token.minute_at, token.minute_count = minute, 0
    if token.minute_count >= MOST_PER_MINUTE:
        left = minute + dt.timedelta(minutes=1) - moment
        raise TooManyDeliveries(MOST_PER_MINUTE, retry_after=max(1, round(left.total_seconds())))
    token.minute_count += 1
    token.last_used_at = moment
    token.save(update_fields=["minute_at", "minute_count", "last_used_at"])


def _matching(trigger: Trigger, text: str) -> uuid.UUID | None:
    """Return which of its tokens this is. All are compared, each in constant time: there are few."""
    digest, found = keys.digest(text), None
    for pk, kept in live(trigger).values_list("pk", "digest"):
        if hmac.compare_digest(bytes(kept), digest):
            found = pk
    return found
