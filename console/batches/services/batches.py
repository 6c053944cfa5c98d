"""Create, cancel and run again; and wake what sleeps."""

import datetime as dt
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from console.audit import actions
from console.audit.services import record
from console.batches import sql, storage
from console.batches.endpoints import ENDPOINTS
from console.batches.models import Batch, File, Line, LineState, Purpose, State
from console.batches.models.batches import ACTIVE
from console.batches.services.creator import Creator
from console.batches.services.files import delete_file, upload_file
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.races import count_held, hold
from console.core.tasks import enqueue_on_commit
from console.gateway.shapes import fields
from console.teams.actors import Actor

WINDOW = "24h"
_ADVANCE = "batches.advance"


def wake(batch: Batch) -> None:
    """Have a worker of the batch lane look at it. The sweeper does when this message is lost."""
    enqueue_on_commit(_ADVANCE, batch.pk, queue="batch", expires=60)


@transaction.atomic
def create_batch(
    *,
    creator: Creator,
    file: File,
    endpoint: str,
    window: str = WINDOW,
    metadata: dict[str, str] | None = None,
    rerun_of: Batch | None = None,
    lines: Sequence[sql.NewLine] = (),
) -> Batch:
    """Write the batch down; a worker checks the file and sends its lines.

    `lines` are those of a file made here: they are known, and nothing is left to check.
    """
    if endpoint not in ENDPOINTS:
        raise BadInput(f"endpoint is one of {', '.join(ENDPOINTS)}.", param="endpoint")
    if window != WINDOW:
        raise BadInput(f"completion_window must be {WINDOW}.", param="completion_window")
    if file.purpose != Purpose.BATCH:
        raise BadInput(
            "The file was uploaded for another purpose; upload it with purpose batch.", param="input_file_id"
        )
    metadata = metadata or {}
    fields.labels("metadata", metadata)
    file = hold(file)  # whoever deletes it meanwhile finds that it is needed, or it is gone by now
    batch = Batch.objects.create(
        team=creator.team,
        environment=creator.environment,
        key_id=creator.key_id,
        person_id=creator.person_id,
        creator=creator.actor.name,
        client_address=creator.actor.client_address,
        name=file.filename,
        endpoint=endpoint,
        metadata=metadata,
        input_file=file,
        rerun_of=rerun_of,
        expires_at=now() + dt.timedelta(seconds=settings.BATCH_WINDOW_SECONDS),
        total=len(lines),
        state=State.IN_PROGRESS if lines else State.VALIDATING,
        in_progress_at=now() if lines else None,
    )
    if lines:
        sql.add_lines(batch.pk, list(lines))
    detail = {"endpoint": endpoint, "file": file.public_id, "bytes": file.bytes}
    if rerun_of is not None:
        detail["rerun_of"] = rerun_of.public_id
    record(actions.BATCH_CREATED, actor=creator.actor, target=batch, detail=detail, surface=creator.surface)
    wake(batch)
    return batch


@transaction.atomic
def cancel_batch(*, actor: Actor, batch: Batch, surface: str = "console") -> Batch:
    """Let no further line start. Calls that are open end by themselves, and then the batch is cancelled."""
    open_ones = Batch.objects.filter(pk=batch.pk, state__in=ACTIVE, ends_as="")
    changed = open_ones.exclude(state=State.FINALIZING).update(
        state=State.CANCELLING, ends_as=State.CANCELLED, cancelling_at=Now(), not_before=None
    )
    batch.refresh_from_db()
    if not changed:
        if batch.ends_as == State.CANCELLED:
            return batch
        raise Conflict(f"The batch cannot be cancelled: it is {batch.get_state_display().lower()}.", code="batch_over")
    record(actions.BATCH_CANCELLED, actor=actor, target=batch, surface=surface)
    wake(batch)
    return batch


@transaction.atomic
def delete_batch(*, actor: Actor, batch: Batch, surface: str = "console") -> None:
    """Remove a batch that is over, with what was asked and answered. Its calls stay in the log.

    An input that somebody else made stays: to read it was enough to make a batch of it, and is no leave to remove it.
    """
    batch = hold(batch, "team")
    if not batch.is_over:
        raise Conflict("The batch is still under way; cancel it first.", code="batch_in_progress")
    record(actions.BATCH_DELETED, actor=actor, target=batch, surface=surface)
    files = {pk for pk in (batch.output_file_id, batch.error_file_id, batch.input_file_id) if pk is not None}
    # Of two batches of one input that go at once, the second waits here until the first is gone, and takes it along.
    count_held(File.objects.filter(pk__in=files))
    batch.delete()
    if Batch.objects.filter(input_file_id=batch.input_file_id).exists():
        files.remove(batch.input_file_id)
    made = File.objects.filter(team_id=batch.team_id, key_id=batch.key_id, person_id=batch.person_id)
    for file in made.filter(pk__in=files).order_by("pk"):
        delete_file(actor=actor, file=file, surface=surface)


def rerun_batch(*, creator: Creator, batch: Batch, file: File | None = None) -> Batch:
    """Make a new batch of the lines that have no answer: those that failed, and those that never got their turn.

    `file` is their copy, where that is made already.
    """
    if file is None:
        file = copy_without_answer(creator=creator, batch=batch)
    return create_batch(creator=creator, file=file, endpoint=batch.endpoint, metadata=batch.metadata, rerun_of=batch)


def copy_without_answer(*, creator: Creator, batch: Batch) -> File:
    """Return a file of the lines of a batch that have no answer. No transaction should wait until it is written."""
    if not batch.is_over:
        raise Conflict("The batch is still under way; its failed lines can be run again when it is over.")
    without_answer = Line.objects.filter(batch=batch).exclude(state=LineState.DONE)
    if not File.objects.filter(pk=batch.input_file_id).exists():
        raise Conflict("The input file is gone, so its lines cannot be sent again.")
    if not without_answer.exists():
        if batch.completed < batch.total:
            raise Conflict("Which lines had no answer is known no more: the list of lines was removed after its time.")
        raise Conflict("Every line of this batch has an answer.")
    stem = batch.name.removesuffix(".jsonl").removesuffix(" again")
    return upload_file(
        creator=creator,
        filename=f"{stem} again.jsonl",
        purpose=Purpose.BATCH,
        content=_input_of(batch),
    )


def _input_of(batch: Batch) -> Iterator[bytes]:
    reader, after = storage.Reader(batch.input_file_id), 0
    wanted = Line.objects.filter(batch=batch).exclude(state=LineState.DONE).order_by("number")
    while lines := list(wanted.filter(number__gt=after).values_list("number", "offset", "length")[:500]):
        for _, offset, length in lines:
            yield reader.read(offset, length) + b"\n"
        after = lines[-1][0]
