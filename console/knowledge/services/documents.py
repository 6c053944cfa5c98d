"""Add documents, save their versions, roll back, rename and delete."""

import hashlib
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Sum

from console.audit import actions
from console.audit.actions import Action
from console.audit.services import record
from console.core import texts
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.knowledge import sql
from console.knowledge.chunking import Piece, pieces_of
from console.knowledge.errors import CannotUse, NothingChanged, StaleDocument
from console.knowledge.models import Collection, Document, DocumentVersion, Passage
from console.knowledge.services.collections import locked, want_vectors
from console.teams.actors import Actor

MOST_CHARACTERS = 400_000  # of one document
# What one search looks through whole, for it compares the question with every vector.
MOST_PASSAGES = 20_000  # of a collection's current versions
MOST_DOCUMENTS = 2_000
# Versions whose passages are kept besides the current one's; those of older ones are made again when they are wanted.
_RECENT = 3
# Kinds whose text marks headings as Markdown does.
_WITH_HEADINGS = frozenset({Document.Kind.MARKDOWN, Document.Kind.HTML})


def is_read_alike(kind: str, other: str) -> bool:
    """Return whether a text is taken apart in the same way as either kind of document."""
    return (kind in _WITH_HEADINGS) == (other in _WITH_HEADINGS)


def check_text(text: str) -> str:
    """Return a text as it is kept, or refuse it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise CannotUse("The document is empty.", param="text")
    if len(text) > MOST_CHARACTERS:
        raise CannotUse(
            f"The document has {len(text):,} characters; {MOST_CHARACTERS:,} is the most. Split it into several.",
            param="text",
        )
    if "\x00" in text:
        raise CannotUse("The document holds a character that is not text (U+0000).", param="text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CannotUse("The document holds half of a character (a lone surrogate).", param="text") from None
    return text


@transaction.atomic
def add_document(
    *,
    actor: Actor,
    collection: Collection,
    name: str,
    text: str,
    kind: str = Document.Kind.MARKDOWN,
    source_name: str = "",
    message: str = "",
) -> Document:
    """Add a document with its first version. It is found by its words at once, by its meaning soon after."""
    collection = locked(collection)
    if Document.objects.filter(collection=collection, deleted_at=None).count() >= MOST_DOCUMENTS:
        raise BadInput(f"{collection.name} has {MOST_DOCUMENTS:,} documents, which is the most of a collection.")
    document = Document(collection=collection, name=texts.line(name, "name", most=120, is_required=True))
    _save_name(document, is_new=True)
    version = _add_version(
        actor=actor, document=document, text=text, kind=kind, source_name=source_name, message=message
    )
    detail = {"after": {"name": document.name, "collection": collection.slug} | _about(version)}
    _note(actions.DOCUMENT_CREATED, actor, document, detail)
    return document


@transaction.atomic
def save_version(
    *,
    actor: Actor,
    document: Document,
    text: str,
    kind: str | None = None,
    source_name: str = "",
    message: str = "",
    name: str | None = None,
    seen_version: int | None = None,
) -> DocumentVersion:
    """Save the next version of a document and make it current: everything that searches answers from it at once.

    `seen_version` is the newest the writer knows; where somebody saved since, nothing is written.
    """
    document = _locked(document)
    if seen_version is not None and seen_version != document.newest:
        raise _stale(document)
    before = document.current
    text = check_text(text)
    is_renamed = name is not None and _rename(document, name)
    is_same = before is not None and before.text == text and (kind is None or is_read_alike(kind, before.kind))
    if before is not None and is_same and document.newest == before.number:
        if not is_renamed:
            raise NothingChanged(f"Nothing differs from version {before.number}, so there is nothing to save.")
        _note(actions.DOCUMENT_CHANGED, actor, document, {"after": {"name": document.name}})
        return before
    version = _add_version(
        actor=actor,
        document=document,
        text=text,
        kind=kind or (before.kind if before else Document.Kind.MARKDOWN),
        source_name=source_name,
        message=message,
    )
    detail = {"before": {"version": before.number if before else None}, "after": _about(version)}
    _note(actions.DOCUMENT_SAVED, actor, document, detail)
    return version


@transaction.atomic
def make_current(
    *, actor: Actor, document: Document, version: DocumentVersion, seen_current: int | None = None
) -> Document:
    """Have searches find another version of a document: roll back, or forward again."""
    document = _locked(document)
    before = document.current
    if before is None or before.pk == version.pk:
        raise NothingChanged(f"Version {version.number} is the current one already.")
    if seen_current is not None and before.number != seen_current:
        raise _stale(document)
    if version.passages_made > before.passages_made:
        _check_room(document, version.passages_made)
    if not Passage.objects.filter(version=version).exists():
        _make_passages(document, version)
    _point_at(document, version)
    _name_passages(document)
    detail = {"before": {"version": before.number}, "after": {"version": version.number}}
    _note(actions.DOCUMENT_ROLLED_BACK, actor, document, detail)
    want_vectors(document.collection)
    return document


@transaction.atomic
def rename_document(*, actor: Actor, document: Document, name: str) -> Document:
    document = _locked(document)
    before = document.name
    if _rename(document, name):
        _note(actions.DOCUMENT_CHANGED, actor, document, {"before": {"name": before}, "after": {"name": document.name}})
    return document


@transaction.atomic
def delete_document(*, actor: Actor, document: Document) -> None:
    """Delete a document: nothing finds it from now on. Its versions stay, for old answers were made with them."""
    document = _locked(document)
    current = document.current
    document.deleted_at = now()
    document.save(update_fields=["deleted_at"])
    Passage.objects.filter(version__document=document).delete()
    detail = {"before": {"name": document.name, "version": current.number if current else None}}
    _note(actions.DOCUMENT_DELETED, actor, document, detail)


def _locked(document: Document) -> Document:
    """Return the document as it is now. Writers of one collection take their turn, so that its limits hold."""
    collection = locked(document.collection)
    found = Document.objects.select_related("current").filter(pk=document.pk, deleted_at=None).first()
    if found is None:
        raise StaleDocument(f"{document.name} was deleted meanwhile.", param="seen_version")
    found.collection = collection
    return found


def _stale(document: Document) -> StaleDocument:
    newest = DocumentVersion.objects.filter(document=document, number=document.newest).first()
    current = document.current
    if newest is None or current is None:
        raise AssertionError("A document has a version from its first moment.")
    message = f": {newest.message}" if newest.message else ""
    return StaleDocument(
        f"{newest.author_name} saved version {newest.number} at {newest.created_at:%H:%M:%S} UTC{message};"
        f" version {current.number} is current. Look at what changed before you decide.",
        param="seen_version",
    )


def _save_name(document: Document, *, is_new: bool = False) -> None:
    try:
        with transaction.atomic():
            document.save(force_insert=is_new, update_fields=None if is_new else ["name"])
    except IntegrityError:
        raise Conflict(
            f"{document.collection.name} has a document {document.name!r} already; open it to save a new version.",
            param="name",
        ) from None


def _rename(document: Document, name: str) -> bool:
    name = texts.line(name, "name", most=120, is_required=True)
    if name == document.name:
        return False
    document.name = name
    _save_name(document)
    _name_passages(document)
    want_vectors(document.collection)
    return True


def _name_passages(document: Document) -> None:
    """Have searches find what is current by the document's name; a vector is also of the name it was made with."""
    other = Passage.objects.filter(version=document.current).exclude(title=document.name)
    other.update(title=document.name, embedding=None)


def _add_version(
    *, actor: Actor, document: Document, text: str, kind: str, source_name: str, message: str
) -> DocumentVersion:
    text = check_text(text)
    if kind not in Document.Kind.values:
        raise BadInput(f"kind must be one of {', '.join(Document.Kind.values)}.", param="kind")
    pieces = pieces_of(text, has_headings=kind in _WITH_HEADINGS)
    if not pieces:
        raise CannotUse("The document has headings only, and nothing under them to find.", param="text")
    _check_room(document, len(pieces))
    version = DocumentVersion.objects.create(
        document=document,
        number=document.newest + 1,
        text=text,
        kind=kind,
        source_name=texts.line(source_name, "source_name", most=120),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        characters=len(text),
        passages_made=len(pieces),
        message=texts.line(message, "message", most=500),
        author_id=actor.id,
        author_name=actor.name[:200],
    )
    document.newest = version.number
    _make_passages(document, version, pieces)
    _point_at(document, version)
    want_vectors(document.collection)
    return version


def _check_room(document: Document, more: int) -> None:
    others = Document.objects.filter(collection=document.collection_id, deleted_at=None).exclude(pk=document.pk)
    held = others.aggregate(sum=Sum("current__passages_made"))["sum"] or 0
    if held + more > MOST_PASSAGES:
        raise BadInput(
            f"{document.collection.name} would have {held + more:,} passages; {MOST_PASSAGES:,} is the most of a"
            " collection. Begin another one: a search looks through several.",
            param="text",
        )


def _make_passages(document: Document, version: DocumentVersion, pieces: list[Piece] | None = None) -> None:
    if pieces is None:
        pieces = pieces_of(version.text, has_headings=version.kind in _WITH_HEADINGS)
    Passage.objects.bulk_create(
        Passage(
            version=version,
            position=position,
            title=document.name,
            heading=piece.heading,
            text=piece.text,
            language=document.collection.language,
        )
        for position, piece in enumerate(pieces, 1)
    )
    if document.collection.model_id is not None:
        sql.take_over_vectors(document.pk, version.pk)


def _point_at(document: Document, version: DocumentVersion) -> None:
    document.current, document.changed_at = version, now()
    document.save(update_fields=["current", "newest", "changed_at"])
    old = Passage.objects.filter(version__document=document, version__number__lte=document.newest - _RECENT)
    old.exclude(version=version).delete()


def _about(version: DocumentVersion) -> dict[str, Any]:
    return {
        "version": version.number,
        "characters": version.characters,
        "passages": version.passages_made,
        "sha256": version.sha256,
        "message": version.message,
    }


def _note(action: Action, actor: Actor, document: Document, detail: dict[str, Any]) -> None:
    record(action, actor=actor, target=document, team=document.collection.team, detail=detail)
