"""Read the documents a file refers to before its transaction begins, because a PDF takes seconds."""

from collections.abc import Mapping
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile

from console.knowledge import files
from console.knowledge.errors import CannotUse
from console.pages.configuration.forms import Entry

# What each file says, by the name it has in the configuration file, or why it could not be read.
Texts = Mapping[str, files.Read | str]


def read_documents(file: Entry, *, folder: Path) -> dict[str, files.Read | str]:
    """Return what every file named by a document says, or the sentence that says why it cannot be one."""
    texts: dict[str, files.Read | str] = {}
    for collection in file.get("collections", []):
        for document in collection.get("documents", []) if isinstance(collection, Entry) else []:
            if document.has("file") and document["file"] not in texts:
                texts[document["file"]] = _read(folder / document["file"])
    return texts


def _read(path: Path) -> files.Read | str:
    try:
        if not path.is_file():
            return f"There is no file {path}."
        with path.open("rb") as opened:
            return files.read(UploadedFile(opened, name=path.name, size=path.stat().st_size))
    except OSError as error:
        return f"The file {path} cannot be read: {error.strerror}."
    except CannotUse as refusal:
        return refusal.message
