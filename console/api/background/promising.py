"""Promise a response, and take a promise back."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum

from console.api.background import rows, sweeping, telling
from console.api.background.rows import State
from console.api.models import BackgroundResponse, ForgottenResponse
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import BadInput, Conflict, Refusal
from console.core.lanes import Lane
from console.gateway.types import Ask, Asker
from console.teams.callers import Caller
from console.teams.models import Team

# What one team may have open at a time: rows wait in the database, not in the memory of whoever asks.
_MOST_OPEN, _MOST_BYTES = 1000, 256 * 1024 * 1024
_RETRY_SECONDS = 10


class TooManyOpen(Refusal):
    status, code, type = 429, "rate_limit_exceeded", "rate_limit_error"


@transaction.atomic
def promise(ask: Ask, asker: Asker) -> BackgroundResponse:
    """Write a response down that is to be answered; a worker does."""
    size = len(ask.text.encode())
    team = Team.objects.select_for_update(no_key=True).get(pk=asker.team.id)  # of two that come at once, one is last
    held = BackgroundResponse.objects.filter(team=team, state__in=rows.OPEN)
    there = held.aggregate(count=Count("pk"), bytes=Sum("size"))
    if there["count"] >= _MOST_OPEN or (there["bytes"] or 0) + size > _MOST_BYTES:
        raise TooManyOpen(
            f"{team.name} has {there['count']:,} responses open in the background, which is as much as there may be."
            " Wait until some are over, or send a batch.",
            retry_after=_RETRY_SECONDS,
        )
    row = BackgroundResponse(
        id=ask.id,
        team=team,
        key_id=asker.key.id if asker.key is not None else None,
        client_address=ask.client_address,
        client_request_id=ask.client_request_id,
        lane=ask.lane or Lane.STANDARD,
        model=ask.model[:200],
        is_stream=ask.is_stream,
        body=ask.text,
        size=size,
        created_at=ask.at,
        expires_at=now() + dt.timedelta(seconds=settings.BATCH_WINDOW_SECONDS),
    )
    row.save(force_insert=True)
    if row.is_stream:
        rows.keep(row, telling.first_frames(row))
        row.save(update_fields=["told"])
    sweeping.wake(row)
    return row


@transaction.atomic
def cancel(caller: Caller, row: BackgroundResponse) -> tuple[BackgroundResponse, bool]:
    """End a response from now on, whatever its worker does: that finds out within a second and lets go of the call.

    Says as well whether it was this that ended it.
    """
    row = BackgroundResponse.objects.select_for_update(of=("self",)).select_related("team").get(pk=row.pk)
    if row.state == State.CANCELLED:
        return row, False
    if not row.is_open:
        raise BadInput(f"Only an open response can be cancelled; this one is {row.state}.", param="response_id")
    row.state, row.ended_at = State.CANCELLED, now()
    frames = telling.last_frames(row, row.told)
    row.fence, row.lease_until, row.body = row.fence + 1, None, rows.kept_body(row.body)
    rows.keep(row, frames)
    row.save(update_fields=["state", "ended_at", "fence", "lease_until", "body", "told"])
    record(actions.RESPONSE_CANCELLED, actor=caller.actor, target_name=row.public_id, team=row.team, surface="api")
    return row, True


@transaction.atomic
def forget(caller: Caller, row: BackgroundResponse) -> None:
    """Remove what is promised no more; the log keeps of it what it keeps."""
    row = BackgroundResponse.objects.select_for_update(of=("self",)).select_related("team").get(pk=row.pk)
    if row.is_open:
        raise Conflict("The response is under way; cancel it first.", headers={"x-should-retry": "false"})
    record(actions.RESPONSE_DELETED, actor=caller.actor, target_name=row.public_id, team=row.team, surface="api")
    if row.request_id == row.pk:  # otherwise nothing but the row leads from one to the other
        ForgottenResponse.objects.get_or_create(pk=row.pk, defaults={"forgotten_at": now()})
    row.delete()
