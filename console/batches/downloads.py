"""What a batch came to, as a file: for its page and for the management API."""

from django.http import HttpRequest, StreamingHttpResponse

from console.batches import access, storage
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


def _name(batch: Batch, what: str) -> str:
    return f"{batch.public_id}_{what}.jsonl"
