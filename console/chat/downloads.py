"""Downloads of files of messages, for the page and the management API."""

from base64 import b64decode

from django.http import HttpResponse

from console.chat import files
from console.chat.models import Message
from console.core.errors import NotFound


def file_of(message: Message, place: int) -> HttpResponse:
    """Return what was sent of an attached file: a picture, or text to be saved, under a name of ours, never shown.

    A picture was written again by this house, so it is nothing but a picture.
    """
    if place >= len(message.attachments):
        raise NotFound("There is no such file.")
    kept = message.attachments[place]
    if files.is_picture(kept):
        response = HttpResponse(b64decode(kept["data"]), content_type=kept["media_type"])
        response["Cache-Control"] = "private, max-age=3600"  # one message's files never change
        return response
    response = HttpResponse(kept["text"], content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="file-{place + 1}.txt"'
    return response
