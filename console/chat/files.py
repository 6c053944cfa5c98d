"""Files attached to messages: documents as text, images as they are, to models with vision.

What cannot be read is refused in one sentence.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from console.chat.errors import CannotSend
from console.core.files import isolated, office, pdf
from console.core.files.picture import small_picture
from console.core.files.plain import plain_text
from console.core.pictures import MOST_PIXELS

MOST_FILES = 5
MOST_BYTES = 10 * 1024 * 1024
MOST_CHARACTERS = 200_000  # of all files of a message
MOST_PAGES = 200
MEDIA_TYPES = {
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
    ".json": "application/json",
    ".pdf": "application/pdf",
    **office.ENDINGS,
}
_AS_IT_IS = ("text/", "application/json")
PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
_PROBLEMS = {
    "busy": "could not be read: too many files are being read. Send it again in a moment.",
    "slow": f"took longer than {isolated.SECONDS} seconds to read. Attach its text.",
    "locked": "is locked with a password. Attach an unlocked copy.",
    "pages": f"has more than {MOST_PAGES} pages. Attach the part that matters.",
    "characters": f"has more than {MOST_CHARACTERS:,} characters. Attach the part that matters.",
    "empty": "has no text that can be read, perhaps only images. Attach its text.",
    "broken": "could not be read as {}. Save it again without a password, or attach its text.",
}
_PICTURE_PROBLEMS = {
    "busy": _PROBLEMS["busy"],
    "slow": f"took longer than {isolated.SECONDS} seconds to read. Attach a smaller image.",
    "pixels": f"has more than {MOST_PIXELS // 1_000_000} million pixels. Attach a smaller image.",
    "broken": "could not be read as an image. Save it again, as PNG or JPEG.",
}

# {"name", "media_type", "bytes", "text"}, of a picture also {"data"}, its bytes in base64, in place of words.
Attachment = dict[str, Any]


def accepted(*, sees: bool) -> list[str]:
    """Return the endings of files that may be attached, of pictures only where the model sees."""
    return [*MEDIA_TYPES, *(PICTURES if sees else ())]


def read(uploads: "Sequence[UploadedFile[bytes]]", *, sees: bool = False) -> list[Attachment]:
    """Return what was uploaded as attachments of a message, or refuse naming the file and what to do."""
    if len(uploads) > MOST_FILES:
        raise _cannot(f"A message may have {MOST_FILES} files; you chose {len(uploads)}.")
    for upload in uploads:  # all of them before any is read
        name = _clean_name(upload.name or "")
        _check_ending(name, sees=sees)
        if (upload.size or 0) > MOST_BYTES:
            raise _cannot(f"{name} is larger than {MOST_BYTES // 1024**2} MB. Attach the part that matters.")
    return _checked([_read(upload) for upload in uploads])


def of_values(given: Iterable[Mapping[str, str]], *, sees: bool = False) -> list[Attachment]:
    """Return {"name", "text"}, or a picture's {"name", "data"}, as attachments: for programs, which send no forms."""
    made = []
    for file in given:
        name = _clean_name(file["name"])
        if "data" in file:
            _check_ending(name, sees=sees)
            if _ending(name) not in PICTURES:
                raise _cannot(
                    f"{name} does not have the name of an image ({_listed(PICTURES)}); send the text of other files."
                )
            made.append(_picture(name, _decoded(name, file["data"])))
        else:
            media_type = MEDIA_TYPES.get(_ending(name), "text/plain")
            made.append(_attachment(name, media_type, len(file["text"].encode()), file["text"]))
    if len(made) > MOST_FILES:
        raise _cannot(f"A message may have {MOST_FILES} files.")
    return _checked(made)


def is_picture(file: Attachment) -> bool:
    return str(file["media_type"]).startswith("image/")


def _decoded(name: str, data: str) -> bytes:
    if len(data) > MOST_BYTES * 4 // 3 + 4:
        raise _cannot(f"{name} is larger than {MOST_BYTES // 1024**2} MB. Attach a smaller image.")
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        raise _cannot(f"The data of {name} must be its bytes in base64.") from None


def _check_ending(name: str, *, sees: bool) -> None:
    ending = _ending(name)
    if ending in PICTURES and not sees:
        raise _cannot(f"{name} cannot be attached: the model behind this assistant does not accept images.")
    if ending not in MEDIA_TYPES and ending not in PICTURES:
        raise _cannot(f"{name} cannot be attached: files may be {_listed(accepted(sees=sees))}.")


def _cannot(sentence: str) -> CannotSend:
    return CannotSend(sentence, param="files")


def _clean_name(name: str) -> str:
    """Return a file's name as it is shown: without a folder, its ending kept."""
    path = PurePosixPath(" ".join(name.replace("\\", "/").split()).rpartition("/")[2] or "file")
    # As forms have it; programs may say what nobody could see, or what turns letters around.
    return "".join(letter for letter in f"{path.stem[:100]}{path.suffix[:12]}" if letter.isprintable())


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _listed(endings: Iterable[str]) -> str:
    *first, last = dict.fromkeys(ending[1:] for ending in endings)
    return f"{', '.join(first)} or {last}"


def _attachment(name: str, media_type: str, size: int, text: str) -> Attachment:
    return {"name": name, "media_type": media_type, "bytes": size, "text": text.replace("\x00", "").strip()}


def _checked(files: list[Attachment]) -> list[Attachment]:
    for file in files:
        if not file["text"] and not is_picture(file):
            raise _cannot(f"{file['name']} is empty.")
    count = sum(len(file["text"]) for file in files)
    if count > MOST_CHARACTERS:
        what = f"{files[0]['name']} has" if len(files) == 1 else "The files have"
        raise _cannot(
            f"{what} {count:,} characters; a message may carry {MOST_CHARACTERS:,}. Attach the part that matters."
        )
    return files


def _read(upload: "UploadedFile[bytes]") -> Attachment:
    name = _clean_name(upload.name or "")
    ending, raw = _ending(name), upload.read()
    if ending in PICTURES:
        return _picture(name, raw)
    text = _text(name, raw) if MEDIA_TYPES[ending].startswith(_AS_IT_IS) else _words(name, ending, raw)
    return _attachment(name, MEDIA_TYPES[ending], len(raw), text)


def _words(name: str, ending: str, raw: bytes) -> str:
    try:
        if ending in office.ENDINGS:
            return office.office_words(raw, most_characters=MOST_CHARACTERS)
        return pdf.pdf_text(raw, most_pages=MOST_PAGES, most_characters=MOST_CHARACTERS)
    except isolated.CannotRead as error:
        raise _cannot(f"{name} {_PROBLEMS[error.problem].format(ending[1:].upper())}") from None


def _picture(name: str, raw: bytes) -> Attachment:
    try:
        seen = small_picture(raw)
    except isolated.CannotRead as error:
        raise _cannot(f"{name} {_PICTURE_PROBLEMS[error.problem]}") from None
    kept = _attachment(name, seen.media_type, len(seen.data), "")
    return kept | {"data": b64encode(seen.data).decode()}


def _text(name: str, raw: bytes) -> str:
    text = plain_text(raw)
    if text is None:
        raise _cannot(f"{name} is not text in UTF-8. Save it as UTF-8 and attach it again.")
    return text
