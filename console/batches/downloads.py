"""Downloads of a batch's results, for its page and the management API."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse

from console.batches import access, queries, storage, tables
from console.batches.models import Batch
from console.batches.services.files import read_file
from console.core.downloads import download as streamed
from console.teams.callers import Caller


def send_file(request: HttpRequest, caller: Caller, batch: Batch, what: str) -> StreamingHttpResponse:
    """Send a file as an attachment of a fixed type, under a name of ours; that somebody read it is recorded."""
    file = access.result_for(caller, batch, what)
    read_file(actor=caller.actor, file=file, team=batch.team)
    response = streamed(request, storage.chunks(file.pk), _name(batch, what), "application/octet-stream")
    response["Content-Length"] = str(file.bytes)
    return response


def send_table(request: HttpRequest, caller: Caller, batch: Batch) -> StreamingHttpResponse:
    """Send a finished batch of conversations as CSV: what each line asked and what was answered, which is recorded."""
    read = [file for what, file in queries.existing_files(batch).items() if what != "input"]
    if not access.may_read_results(caller, batch):
        raise PermissionDenied("What a batch answered is for who made it, and for those who may read content.")
    if not tables.has_table(batch) or not read:
        raise Http404("There is no such table.")
    for file in read:
        read_file(actor=caller.actor, file=file, team=batch.team)
    response = streamed(request, tables.table_of(batch), f"{batch.public_id}.csv", "text/csv; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response


def _name(batch: Batch, what: str) -> str:
    return f"{batch.public_id}_{what}.jsonl"
