"""Receive large bodies (a form with a file, or a list) on disk, and never whole in memory."""

import tempfile
from typing import IO, Any, NamedTuple

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from console.api.v1.request import ClientGone, Request, UnsupportedMediaType
from console.core.bodies import FORM_FIELDS
from console.core.errors import BadInput, TooLarge

_IN_MEMORY = 1024 * 1024


class Form(NamedTuple):
    fields: dict[str, str]
    file: "UploadedFile[Any]"


async def receive(request: Request, into: IO[bytes]) -> None:
    """Copy a form with a file; TooLarge as soon as it is known to be."""
    if not request.content_type.startswith("multipart/form-data"):
        raise UnsupportedMediaType("Send the file as multipart/form-data, in the field `file`.")
    limit = settings.FILE_MAX_BYTES + FORM_FIELDS
    await _copy(request, into, limit, f"The file is larger than {settings.FILE_MAX_BYTES:,} bytes.")


async def receive_json(request: Request, into: IO[bytes], *, limit: int, too_large: str) -> None:
    """Copy a body of JSON; TooLarge as soon as it is known to be."""
    request.check_is_json()
    await _copy(request, into, limit, too_large)


async def _copy(request: Request, into: IO[bytes], limit: int, too_large: str) -> None:
    size, more = request.length, True
    while more and size <= limit:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        into.write(message.get("body", b""))
        size, more = max(size, into.tell()), bool(message.get("more_body"))
    if size > limit:
        raise TooLarge(too_large)


def spool() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


def parse(request: Request, body: IO[bytes]) -> Form:
    """Return the form's fields and its file. Blocks: for a thread."""
    meta = {"CONTENT_TYPE": request.raw_content_type, "CONTENT_LENGTH": str(body.tell())}
    body.seek(0)
    try:
        fields, files = MultiPartParser(meta, body, [TemporaryFileUploadHandler()]).parse()  # type: ignore[arg-type]
    except MultiPartParserError as wrong:
        raise BadInput(f"The form cannot be read: {wrong}.") from None
    except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
        raise TooLarge("The form has more, or longer, fields than a file needs.") from None
    file = files.get("file")
    if not isinstance(file, UploadedFile):
        raise BadInput("The form has no file; send it in the field `file`.", param="file")
    return Form({name: str(fields[name]) for name in fields}, file)
