"""Create, cancel and delete background responses."""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum

from agents_app.models import Run
from agents_app.services.runs import cancel_run
from console.api.background import rows, runs, shapes, sweep
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
def create(ask: Ask, asker: Asker) -> BackgroundResponse:
    """Write a response down that is to be answered; a worker does."""
    size = len(ask.text.encode())
    team = Team.objects.select_for_update(no_key=True).get(pk=asker.team.id)  # of two that come at once, one is last
    waiting = BackgroundResponse.objects.filter(team=team, state__in=rows.OPEN, run=None)
    there = waiting.aggregate(count=Count("pk"), bytes=Sum("size"))
    if there["count"] >= _MOST_OPEN or (there["bytes"] or 0) + size > _MOST_BYTES:
        raise TooManyOpen(
            f"{team.name} has {there['count']:,} responses open in the background, which is as much as there may be."
            " Wait until some are over, or send a batch.",
            retry_after=_RETRY_SECONDS,
        )
    row = _row(ask, asker, team)
    row.frame = shapes.frame(row)
    row.save(force_insert=True)
    if row.is_stream:
        rows.keep(row, shapes.first_frames(row))
        row.save(update_fields=["told"])
    sweep.wake(row)
    return row


def _row(ask: Ask, asker: Asker, team: Team) -> BackgroundResponse:
    return BackgroundResponse(
        id=ask.id,
        team=team,
        key_id=asker.key.id if asker.key is not None else None,
        client_address=ask.client_address,
        client_request_id=ask.client_request_id,
        trace_parent=ask.trace_parent,
        metadata=ask.metadata,
        lane=Lane.BATCH if ask.lane == Lane.BATCH else Lane.STANDARD,  # nobody waits for it
        model=ask.model[:200],
        is_stream=ask.is_stream,
        body=ask.text,
        size=len(ask.text.encode()),
        created_at=ask.at,
        expires_at=now() + dt.timedelta(seconds=settings.BATCH_WINDOW_SECONDS),
    )


def create_for_run(ask: Ask, asker: Asker, run: Run) -> BackgroundResponse:
    """Store that a run answers a response; of a run that was found again, the response it answers."""
    Run.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.pk)  # of two that find it at once, one is last
    earlier = BackgroundResponse.objects.filter(run=run).order_by("created_at", "id").first()
    if earlier is not None:
        earlier.run = run
        return earlier
    row = _row(ask, asker, Team.objects.get(pk=asker.team.id))
    # The run has its input; this is for who asks for the response later.
    row.run, row.body, row.frame = run, rows.kept_body(row.body), rows.kept_body(shapes.frame(row))
    row.save(force_insert=True)
    return row


@transaction.atomic
def cancel(caller: Caller, row: BackgroundResponse) -> tuple[BackgroundResponse, str]:
    """End a response from now on, whatever its worker does: that finds out within a second and lets go of the call.

    Returns as well what had been sent with it; nothing where it had been cancelled before.
    """
    if row.run is not None:
        return _cancel_run(caller, row, row.run)
    row = rows.locked(row)
    if row.state == State.CANCELLED:
        return row, ""
    if not row.is_open:
        raise BadInput(f"Only an open response can be cancelled; this one is {row.state}.", param="response_id")
    body = row.body
    row.state, row.ended_at = State.CANCELLED, now()
    frames = shapes.last_frames(row, row.told)
    row.fence, row.lease_until = row.fence + 1, None
    row.body, row.frame = rows.kept_body(row.body), rows.kept_body(row.frame)
    rows.keep(row, frames)
    row.save(update_fields=["state", "ended_at", "fence", "lease_until", "body", "frame", "told"])
    record(actions.RESPONSE_CANCELLED, actor=caller.actor, target_name=row.public_id, team=row.team, surface="api")
    return row, body


def _cancel_run(caller: Caller, row: BackgroundResponse, run: Run) -> tuple[BackgroundResponse, str]:
    if not row.is_open and row.state != State.CANCELLED:
        raise BadInput(f"Only an open response can be cancelled; this one is {row.state}.", param="response_id")
    row.run = cancel_run(actor=caller.actor, run=run)
    runs.look(row)
    return row, ""


@transaction.atomic
def delete(caller: Caller, row: BackgroundResponse) -> None:
    """Remove a response that is over; the log keeps of it what it keeps."""
    row = rows.locked(row)
    runs.look(row)
    if row.is_open:
        raise Conflict("The response is under way; cancel it first.", headers={"x-should-retry": "false"})
    record(actions.RESPONSE_DELETED, actor=caller.actor, target_name=row.public_id, team=row.team, surface="api")
    if row.request_id == row.pk:  # otherwise nothing but the row leads from one to the other
        ForgottenResponse.objects.get_or_create(pk=row.pk, defaults={"forgotten_at": now()})
    row.delete()
