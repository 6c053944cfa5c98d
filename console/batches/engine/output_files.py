"""Write a batch's output and error files, a few lines at a time, and complete it."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from console.audit import actions
from console.audit.services import record
from console.batches import storage
from console.batches.engine import lease, results
from console.batches.models import Batch, File, Line, LineState, Purpose, State
from console.batches.services.files import begin_file
from console.teams.actors import SYSTEM

_AT_ONCE = 50  # whole answers are read, and each may be large
_TIMES = {
    State.COMPLETED: "completed_at",
    State.FAILED: "failed_at",
    State.EXPIRED: "expired_at",
    State.CANCELLED: "cancelled_at",
}
# Why a line was not sent, for the error file. OpenAI's words where it has them.
_UNSENT = {
    State.EXPIRED: ("batch_expired", "This request could not be executed before the completion window expired."),
    State.CANCELLED: ("batch_cancelled", "This request was not executed, because the batch was cancelled."),
    State.FAILED: ("batch_failed", "This request was not executed, because the batch could not go on."),
}


def finish(batch: Batch) -> None:
    """Write the files and set the last state. A worker that dies on the way leaves files nobody sees."""
    with transaction.atomic():
        lease.change(batch)
        under_way = Batch.objects.filter(pk=batch.pk, state__in=[State.IN_PROGRESS, State.VALIDATING])
        under_way.update(state=State.FINALIZING, finalizing_at=Now())  # from here on it cannot be cancelled
    batch.refresh_from_db()
    end = State(batch.ends_as or State.COMPLETED)
    output = _write(batch, _done(batch), "output")
    errors = _write(batch, _failed(batch, end), "errors")
    with transaction.atomic():
        lease.change(batch, state=end, output_file=output, error_file=errors, **{_TIMES[end]: Now()})
        File.objects.filter(pk__in=[file.pk for file in (output, errors) if file is not None]).update(is_ready=True)
        batch.refresh_from_db()
        detail = {"lines": batch.total, "completed": batch.completed, "failed": batch.failed, "state": end.value}
        record(actions.BATCH_ENDED, actor=SYSTEM, target=batch, detail=detail, surface="batch")
    for lines in _slices(Line.objects.filter(batch=batch).exclude(result="")):
        Line.objects.filter(pk__in=[line.pk for line in lines]).update(result="")
    lease.release(batch)


def _slices(wanted: QuerySet[Line]) -> Iterator[list[Line]]:
    after = 0
    while lines := list(wanted.filter(number__gt=after).order_by("number")[:_AT_ONCE]):
        yield lines
        after = lines[-1].number


def _done(batch: Batch) -> Iterator[list[str]]:
    for lines in _slices(Line.objects.filter(batch=batch, state=LineState.DONE)):
        yield [line.result for line in lines]


def _failed(batch: Batch, end: State) -> Iterator[list[str]]:
    for lines in _slices(Line.objects.filter(batch=batch).exclude(state=LineState.DONE)):
        yield [line.result or results.unsent(line, *_UNSENT.get(end, ("not_sent", "Not sent."))) for line in lines]


def _write(batch: Batch, slices: Iterator[list[str]], what: str) -> File | None:
    """Write one file, None when there is nothing for it."""
    file: File | None = None
    writer: storage.Writer | None = None
    for lines in slices:
        if writer is None:
            file = begin_file(
                team=batch.team,
                environment=batch.environment,
                filename=f"{batch.public_id}_{what}.jsonl",
                purpose=Purpose.BATCH_OUTPUT,
                key_id=batch.key_id,
                person_id=batch.person_id,
                creator=batch.creator,
            )
            writer = storage.Writer(file)
        lease.change(batch)
        writer.write("".join(f"{line}\n" for line in lines).encode())
    if file is not None and writer is not None:
        File.objects.filter(pk=file.pk).update(sha256=writer.close(), bytes=writer.size)
    return file
