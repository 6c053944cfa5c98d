"""Attach files to messages of the playground, as in the chat."""

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import replace

from django.core.files.uploadedfile import UploadedFile

from console.chat import files
from console.chat.requests import words_of
from console.core.errors import BadInput
from console.core.pictures import MOST_PIXELS, pictures_in
from console.playground.bench import MOST_TURNS, Bench, Turn

# Letters of messages that are more than words: the form sends them each time, and may have 2 MB.
_MOST_LETTERS = 1_500_000


def attached(typed: Bench, uploads: "Sequence[UploadedFile[bytes]]") -> Bench:
    """Return the page with a message of the user's for each file, before the last; refuse naming the file at fault."""
    turns = []
    for file in files.read(uploads, sees=True):
        if not files.is_picture(file):
            turns.append(Turn("user", words_of("", [file])))
            continue
        shown = {"type": "image_url", "image_url": {"url": f"data:{file['media_type']};base64,{file['data']}"}}
        turns.append(Turn("user", raw=json.dumps({"role": "user", "content": [shown]})))
    changed = replace(typed, turns=(*typed.turns, *turns))
    if len(changed.turns) > MOST_TURNS or sum(len(turn.raw) for turn in changed.turns) > _MOST_LETTERS:
        raise BadInput("There is no room for that here. Remove other images, or attach smaller ones.", param="files")
    return changed


def seen_in(turn: Turn) -> Iterator[str]:
    """Yield the pictures of a message that came as bytes, as addresses an <img> may have."""
    try:
        found = list(pictures_in([json.loads(turn.raw)])) if turn.raw else []
    except (ValueError, RecursionError):
        return
    for one in found:
        width, height = one.size or (0, 0)
        if one.media_type in files.PICTURES.values() and 0 < width * height <= MOST_PIXELS and _is_base64(one.data):
            yield f"data:{one.media_type};base64,{one.data}"


def _is_base64(data: str) -> bool:
    try:
        b64decode(data, validate=True)
    except ValueError:
        return False
    return True
