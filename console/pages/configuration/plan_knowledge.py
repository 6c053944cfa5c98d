"""The part of a plan about collections and documents, identified by collection and name."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from console.catalog.models import ModelVersion
from console.core.errors import BadInput
from console.knowledge.models import Collection, Document, Language
from console.knowledge.services import collections as services
from console.knowledge.services import documents
from console.pages.configuration.document import Place
from console.pages.configuration.document_files import Texts
from console.pages.configuration.forms import Entry
from console.pages.configuration.steps import FieldChange, Ref, differences
from console.teams.models import Team

if TYPE_CHECKING:
    from console.pages.configuration.plan import Plan

_WORDS = ("name", "description", "language")


class PresentDocument(NamedTuple):
    """A document as far as a file is compared with it."""

    id: uuid.UUID
    sha256: str
    characters: int
    current: int
    newest: int
    kind: str


def ref_of(entry: Entry) -> Ref:
    return ("collection", f"{entry['team']}/{entry['slug']}" if entry.has("team") else str(entry["slug"]))


class KnowledgePlan:
    """Adds the steps of collections to a plan, each with those of its documents."""

    def __init__(self, plan: Plan, texts: Texts) -> None:
        self.plan, self.texts = plan, texts
        found = Collection.objects.filter(deleted_at=None, team__archived_at=None)
        rows = found.select_related("team", "model__provider", "payer")
        self.rows = {f"{row.team.slug}/{row.slug}" if row.team else row.slug: row for row in rows}

    def collection(self, entry: Entry) -> None:
        for field in ("team", "payer"):
            if entry.has(field) and not self.plan.is_there(entry, field, "team", entry[field]):
                return
        if entry.has("team") and entry.has("payer"):
            message = "The vectors of a team's collection count in its own quotas; leave payer out."
            self.plan.problem(entry, "payer", message)
            return
        if entry.get("model") and not self.plan.is_there(entry, "model", "model", entry["model"]):
            return
        made = ref_of(entry)
        row = self.rows.get(made[1])
        needs: frozenset[Ref] = frozenset({("model", entry["model"])} if entry.get("model") else ())
        if row is None:
            self._create(entry, made[1], needs)
        else:
            self._change(entry, row, made[1], needs)
        self._documents(entry, row, made)

    def _create(self, entry: Entry, name: str, needs: frozenset[Ref]) -> None:
        words = {"name": entry["slug"], "language": Language.ENGLISH.value} | _words(entry)

        def make() -> None:
            services.create_collection(
                actor=self.plan.actor,
                team=self.plan.team(entry) if entry.has("team") else None,
                slug=entry["slug"],
                **words,
                **_beside(entry),
            )

        said = words | {field: entry[field] for field in ("model", "least_likeness", "payer") if entry.has(field)}
        self.plan.create(entry, "collection", name, said, make, needs)

    def _change(self, entry: Entry, row: Collection, name: str, needs: frozenset[Ref]) -> None:
        words = _words(entry)
        pairs: dict[str, tuple[Any, Any]] = {field: (getattr(row, field), words[field]) for field in words}
        if entry.has("model"):
            pairs["model"] = (str(row.model) if row.model else None, entry["model"])
        if entry.has("least_likeness"):
            pairs["least_likeness"] = (row.least_likeness, _likeness(entry))
        if entry.has("payer"):
            pairs["payer"] = (row.payer.slug if row.payer else None, entry["payer"])

        def change() -> None:
            services.change_collection(actor=self.plan.actor, collection=row, **words, **_beside(entry))

        self.plan.change(entry, "collection", name, differences(pairs), change, needs)

    # Documents ---------------------------------------------------------------------------------------------------

    def _documents(self, entry: Entry, row: Collection | None, made: Ref) -> None:
        given = [one for one in entry.get("documents", []) if one.has("name")]
        kept = _present(row) if row is not None and given else {}
        seen: set[str] = set()
        for one in given:
            name = " ".join(one["name"].split())
            if name in seen:
                self.plan.problem(one, "name", f"{made[1]} has the document {name!r} twice in this file.")
                continue
            seen.add(name)
            self._document(one, entry, name, kept.get(name), made)

    def _document(self, entry: Entry, collection: Entry, name: str, kept: PresentDocument | None, made: Ref) -> None:
        fields = self._said(entry)
        if fields is None:
            return
        where, size = f"{made[1]}: {name}", f"{len(fields['text']):,} characters"
        fields["message"] = f"Applied from {self.plan.source}"[:500]
        if kept is None:

            def add() -> None:
                documents.add_document(actor=self.plan.actor, collection=self._found(collection), name=name, **fields)

            said = {"text": size} | ({"file": entry["file"]} if entry.has("file") else {})
            self.plan.create(entry, "document", where, said, add, frozenset({made}), lambda p: _find(entry, p))
            return
        is_same = hashlib.sha256(fields["text"].encode()).hexdigest() == kept.sha256
        was = f"version {kept.current}, {kept.characters:,} characters"
        change = [] if is_same else [FieldChange("text", was, f"version {kept.newest + 1}, {size}")]
        if (entry.has("kind") or entry.has("file")) and not documents.is_read_alike(fields["kind"], kept.kind):
            change.append(FieldChange("kind", kept.kind, fields["kind"]))

        def save() -> None:
            document = Document.objects.select_related("collection").get(pk=kept.id)
            kind = fields.pop("kind") if entry.has("kind") or entry.has("file") else None
            documents.save_version(
                actor=self.plan.actor,
                document=document,
                seen_version=kept.newest,
                **{**fields, "kind": kind},
            )

        self.plan.change(entry, "document", where, change, save, frozenset({made}), lambda p: _find(entry, p))

    def _said(self, entry: Entry) -> dict[str, Any] | None:
        """Return the text and what it comes from, as services take it; None when the file is wrong there."""
        if ("text" in entry.places) == ("file" in entry.places):
            self.plan.problem(entry, "", "Write either text or file.")
            return None
        if not (entry.has("text") or entry.has("file")):
            return None  # the value's own form has said so
        if entry.has("text"):
            text, fields = entry["text"], {"kind": entry.get("kind", Document.Kind.MARKDOWN.value)}
        else:
            read = self.texts[entry["file"]]
            if isinstance(read, str):
                self.plan.problem(entry, "file", read)
                return None
            text, fields = read.text, {"kind": entry.get("kind", read.kind), "source_name": read.name}
        try:
            return fields | {"text": documents.check_text(text)}
        except BadInput as refusal:
            self.plan.problem(entry, "file" if entry.has("file") else "text", refusal.message)
            return None

    def _found(self, entry: Entry) -> Collection:
        team = self.plan.team(entry) if entry.has("team") else None
        return Collection.objects.get(team=team, slug=entry["slug"], deleted_at=None)


def _words(entry: Entry) -> dict[str, Any]:
    return {field: " ".join((entry[field] or "").split()) for field in _WORDS if entry.has(field)}


def _likeness(entry: Entry) -> float | None:
    return None if entry["least_likeness"] is None else float(entry["least_likeness"])


def _beside(entry: Entry) -> dict[str, Any]:
    """Return what the file gives besides words, looked up: earlier steps may have made it."""
    found: dict[str, Any] = {"least_likeness": _likeness(entry)} if entry.has("least_likeness") else {}
    if entry.has("model"):
        provider, _, model = (entry["model"] or "").partition("/")
        found["model"] = ModelVersion.objects.get(provider__slug=provider, name=model) if model else None
    if entry.has("payer"):
        found["payer"] = Team.objects.get(slug=entry["payer"], archived_at=None)
    return found


def _present(collection: Collection) -> dict[str, PresentDocument]:
    rows = Document.objects.filter(collection=collection, deleted_at=None, current__isnull=False).values_list(
        "name", "pk", "current__sha256", "current__characters", "current__number", "newest", "current__kind"
    )
    return {row[0]: PresentDocument(*row[1:]) for row in rows}


def _find(entry: Entry, param: str) -> Place:
    """Return where a field is that a service names its own way."""
    return entry.find("file" if param in {"text", "source_name"} and entry.has("file") else param)
