"""Upload and delete files, and delete those past their retention."""

import datetime as dt
import uuid
from collections.abc import Collection, Iterable

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from console.audit import actions
from console.audit.services import record
from console.batches import storage
from console.batches.models import Batch, File
from console.batches.models.batches import ACTIVE
from console.batches.models.files import UPLOADED
from console.batches.services.creator import Creator
from console.core.clock import now
from console.core.errors import BadInput, Conflict, TooLarge
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import Team

# An upload that takes longer than this has been given up, or its process died.
_GIVEN_UP = dt.timedelta(hours=1)


def begin_file(
    *,
    team: Team,
    environment: str,
    filename: str,
    purpose: str,
    creator: str,
    key_id: uuid.UUID | None,
    person_id: uuid.UUID | None,
    keep: dt.timedelta | None = None,
) -> File:
    """Make the row of a file that is about to be written; nobody sees it yet."""
    usual = dt.timedelta(days=settings.FILE_KEEP_DAYS)
    return File.objects.create(
        team=team,
        environment=environment,
        filename=filename,
        purpose=purpose,
        key_id=key_id,
        person_id=person_id,
        creator=creator,
        expires_at=now() + min(keep or usual, usual),
    )


def clean_filename(name: str) -> str:
    """Return a name without folders and without what a terminal or a header would misread."""
    name = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in name if c.isprintable())[:255].strip() or "file"


def upload_file(
    *, creator: Creator, filename: str, purpose: str, content: Iterable[bytes], keep: dt.timedelta | None = None
) -> File:
    """Keep what somebody sent. No transaction is open while it is read; one that breaks off leaves nothing to see."""
    if purpose not in UPLOADED:
        raise BadInput(f"purpose is one of {', '.join(UPLOADED)}.", param="purpose")
    file = begin_file(
        team=creator.team,
        environment=creator.environment,
        filename=clean_filename(filename),
        purpose=purpose,
        creator=creator.actor.name,
        key_id=creator.key_id,
        person_id=creator.person_id,
        keep=keep,
    )
    try:
        writer = storage.Writer(file)
        for piece in content:
            writer.write(piece)
            if writer.size > settings.FILE_MAX_BYTES:
                raise TooLarge(f"The file is larger than {settings.FILE_MAX_BYTES:,} bytes.")
        if not writer.size:
            raise BadInput("The file is empty.", param="file")
        digest = writer.close()
        file.sha256, file.bytes, file.is_ready = digest, writer.size, True
        with transaction.atomic():
            file.save(update_fields=["sha256", "bytes", "is_ready"])
            detail = {"bytes": file.bytes, "purpose": purpose, "sha256": digest.hex()}
            record(actions.FILE_UPLOADED, actor=creator.actor, target=file, detail=detail, surface=creator.surface)
    except BaseException:
        File.objects.filter(pk=file.pk, is_ready=False).delete()
        raise
    return file


def _is_needed() -> Exists:
    return Exists(Batch.objects.filter(input_file=OuterRef("pk"), state__in=ACTIVE))


@transaction.atomic
def read_file(*, actor: Actor, file: File, team: Team, surface: str = "console") -> None:
    """Say that somebody reads what a file of the team holds. Call it before the first byte leaves."""
    record(actions.FILE_READ, actor=actor, target=file, team=team, surface=surface)


@transaction.atomic
def delete_file(*, actor: Actor, file: File, surface: str = "console") -> None:
    file = hold(file, "team")
    if File.objects.filter(_is_needed(), pk=file.pk).exists():
        raise Conflict("A batch that is under way reads this file; cancel the batch first.", code="file_in_use")
    record(actions.FILE_DELETED, actor=actor, target=file, team=file.team, surface=surface)
    identifier = file.pk
    file.delete()
    _note_archived([identifier])


def prune_files() -> int:
    """Remove files past their time, and what broken uploads left; return how many went."""
    given_up = Q(is_ready=False, created_at__lt=now() - _GIVEN_UP)
    gone = File.objects.filter(Q(expires_at__lte=now()) | given_up).exclude(_is_needed())
    removed = 0
    while chosen := _remove(gone):
        removed += chosen
    return removed


@transaction.atomic
def _remove(gone: QuerySet[File]) -> int:
    """Remove some of these files; return how many were found. One that a batch takes meanwhile stays."""
    rows = gone.select_for_update(no_key=True, skip_locked=True).order_by("pk")
    ids = list(rows.values_list("pk", flat=True)[:50])
    gone.filter(pk__in=ids).delete()  # asked again, now that no batch can begin on them
    _note_archived(ids)
    return len(ids)


def _note_archived(ids: Collection[uuid.UUID]) -> None:
    """Say of batches whose results were among these files since when they have none. One that is held goes itself."""
    rest = File.objects.filter(Q(pk=OuterRef("output_file_id")) | Q(pk=OuterRef("error_file_id")))
    theirs = Batch.objects.filter(Q(output_file__in=ids) | Q(error_file__in=ids), ~Exists(rest), archived_at=None)
    held = theirs.select_for_update(no_key=True, skip_locked=True).order_by("pk").values_list("pk", flat=True)
    Batch.objects.filter(pk__in=list(held)).update(archived_at=Now())
