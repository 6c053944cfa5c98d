"""The only way to get a file or a batch for somebody.

Who made it sees it, and a key what was made with those that were rotated into it; so does everybody with `view_usage`
in the team. What a file says is for who made it and for `read_content`. Who may revoke the team's keys may also stop
what they run and remove what they left.
"""

import uuid

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from console.batches import queries
from console.batches.models import Batch, File
from console.core.sql import get_or_raise
from console.teams.callers import Caller
from console.teams.models import Team


def _is_own(caller: Caller) -> Q:
    own = Q(key_id__in=caller.own_keys)
    if caller.user is not None:
        own |= Q(person_id=caller.user.pk)
    return own


def _visible(caller: Caller) -> Q:
    if caller.is_operator:
        return Q()
    teams = [team_id for team_id, rights in caller.rights.items() if "view_usage" in rights]
    return Q(team_id__in=teams) | (_is_own(caller) & Q(team_id__in=list(caller.rights)))


def files_for(caller: Caller, team: Team | None = None) -> QuerySet[File]:
    files = File.objects.filter(_visible(caller), is_ready=True)
    return files if team is None else files.filter(team=team)


def batches_for(caller: Caller, team: Team | None = None) -> QuerySet[Batch]:
    batches = Batch.objects.filter(_visible(caller)).select_related("team")
    return batches if team is None else batches.filter(team=team)


def owns(caller: Caller, row: File | Batch) -> bool:
    return row.key_id in caller.own_keys or (caller.user is not None and row.person_id == caller.user.pk)


def may_read(caller: Caller, file: File) -> bool:
    """Return whether the caller may see what the file says."""
    return owns(caller, file) or caller.may("read_content", file.team_id)


def may_change(caller: Caller, row: File | Batch) -> bool:
    return owns(caller, row) or caller.may("manage_keys", row.team_id)


def file_for(caller: Caller, file_id: uuid.UUID, *, to: str = "see") -> File:
    """Return the file, to `see`, `read` or `change`: 404 for those who cannot see it, 403 for those who may not."""
    file = get_or_raise(files_for(caller).select_related("team").filter(pk=file_id), Http404("There is no such file."))
    if to == "read" and not may_read(caller, file):
        raise PermissionDenied("What this file says is for who made it, and for those who may read content.")
    if to == "change" and not may_change(caller, file):
        raise PermissionDenied("Only who made this file, or may manage the team's keys, can change it.")
    return file


def batch_for(caller: Caller, batch_id: uuid.UUID, *, to: str = "see") -> Batch:
    """Return the batch, to `see` or `change`."""
    batch = get_or_raise(batches_for(caller).filter(pk=batch_id), Http404("There is no such batch."))
    if to == "change" and not may_change(caller, batch):
        raise PermissionDenied("Only who made this batch, or may manage the team's keys, can change it.")
    return batch


def batch_to_rerun(caller: Caller, batch_id: uuid.UUID) -> Batch:
    """Return a batch whose lines the caller may send again: it is theirs to change, and its input theirs to read."""
    batch = batch_for(caller, batch_id, to="change")
    if not caller.may("use_models", batch.team_id):
        raise PermissionDenied("Your role in this team does not allow calling models.")
    file_for(caller, batch.input_file_id, to="read")
    return batch


def may_read_results(caller: Caller, batch: Batch) -> bool:
    return owns(caller, batch) or caller.may("read_content", batch.team_id)


def result_for(caller: Caller, batch: Batch, what: str) -> File:
    """Return what a batch answered, its `output` or its `errors`."""
    if not may_read_results(caller, batch):
        raise PermissionDenied("What a batch answered is for who made it, and for those who may read content.")
    file = queries.existing_files(batch).get(what) if what in {"output", "errors"} else None
    if file is None:
        raise Http404("There is no such file.")
    return file
