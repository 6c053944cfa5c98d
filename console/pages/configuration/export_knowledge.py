"""The part of an export about documents, schedules of tests, and places that are not on Facet."""

from pathlib import PurePosixPath
from typing import Any

from django.utils.text import slugify

from console.evals.models import Schedule
from console.evals.services.rounds import objection
from console.knowledge.files import KINDS
from console.knowledge.models import Collection, Document
from console.pages.configuration.export_yaml import as_yaml
from console.pages.configuration.plan_legacy import replacement, spend_of
from console.teams.actors import Actor
from console.teams.models import User
from console.touchpoints.models import LegacyTouchpoint

_INDENT = 8  # of a document's text in the file
_WORDS = ("place", "model", "owner", "expected", "notes")


class Beside:
    """Where the texts of documents go: into files beside the configuration, or into it while there is room."""

    def __init__(self, *, folder: str, room: int) -> None:
        self.folder, self.room = folder, room
        self.files: dict[str, str] = {}  # by path; what the caller has to write

    def put(self, collection: Collection, document: Document) -> dict[str, Any] | None:
        """Return the document as a file says it, None when there is no room."""
        version = document.current
        assert version is not None
        if self.folder:
            ending = ".txt" if version.kind == Document.Kind.TEXT else ".md"
            path = self._path(collection, document.name, ending)
            self.files[path] = version.text + "\n"
            said = {"name": document.name, "file": path}
            return said | ({} if version.kind == KINDS[ending] else {"kind": version.kind})
        said = {"name": document.name} | ({} if version.kind == Document.Kind.MARKDOWN else {"kind": version.kind})
        said["text"] = version.text
        lines = as_yaml([said])
        self.room -= len(lines.encode()) + _INDENT * (lines.count("\n") + 1)
        return said if self.room >= 0 else None

    def _path(self, collection: Collection, name: str, ending: str) -> str:
        whose = collection.team.slug if collection.team else "_organisation"
        stem = slugify(name)[:80] or "document"
        folder, number = PurePosixPath(self.folder, whose, collection.slug), 1
        while (path := str(folder / f"{stem}{'' if number == 1 else f'-{number}'}{ending}")) in self.files:
            number += 1
        return path


def collections(left_out: list[str], beside: Beside) -> list[dict[str, Any]]:
    found = Collection.objects.filter(deleted_at=None, team__archived_at=None)
    rows = []
    for collection in found.select_related("team", "model__provider", "payer").order_by("team__slug", "slug"):
        row: dict[str, Any] = {"slug": collection.slug}
        row |= {"team": collection.team.slug} if collection.team else {}
        row |= {"name": collection.name} | ({"description": collection.description} if collection.description else {})
        row["language"] = collection.language
        model, payer = collection.model, collection.payer
        if model is not None and payer is not None and (model.retired_at or payer.archived_at):
            left_out.append(f"the model of the collection {collection.slug}, which is retired or has nobody to pay.")
            model = payer = None
        row |= {"model": str(model)} if model is not None else {}
        row |= {} if collection.least_likeness is None else {"least_likeness": collection.least_likeness}
        if payer is not None and collection.team is None:
            row["payer"] = payer.slug
        documents, without = [], 0
        for document in collection.documents.filter(deleted_at=None).select_related("current").order_by("name", "id"):
            said = beside.put(collection, document) if document.current is not None else None
            if said is None:
                without += 1
            else:
                documents.append(said)
        if without:
            left_out.append(
                f"{without} documents of the collection {collection.slug}, for which the file has no room;"
                " `export FILE --documents FOLDER` writes them beside it."
            )
        rows.append(row | ({"documents": documents} if documents else {}))
    return rows


def test_schedules(left_out: list[str]) -> list[dict[str, Any]]:
    rows = []
    found = Schedule.objects.filter(prompt__deleted_at=None, prompt__team__archived_at=None).select_related(
        "prompt__team"
    )
    people = {user.pk: user.email for user in User.objects.filter(pk__in=found.values("acts_as_id"))}
    for schedule in found.order_by("prompt__slug", "label", "model", "environment"):
        row: dict[str, Any] = {"prompt": schedule.prompt.slug, "label": schedule.label, "model": schedule.target}
        row |= {name: getattr(schedule, name) for name in ("cron", "time_zone", "tolerance")}
        actor = Actor(schedule.acts_as_kind, schedule.acts_as_id, schedule.acts_as_name)
        is_a_person = schedule.acts_as_kind == "user" and schedule.acts_as_id in people
        if is_a_person and not objection(schedule.prompt.team, actor):
            row["owner"] = people[schedule.acts_as_id]
        else:
            message = f"the schedule {schedule} of {schedule.prompt.slug}, which acts for {schedule.acts_as_name}."
            left_out.append(message)
            continue
        rows.append(row | ({"is_paused": True} if schedule.is_paused else {}))
    return rows


def legacy_touchpoints(left_out: list[str], named: set[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Return the places; what has the work of one is said where it is `named` in the file: kind, team and name."""
    rows = []
    found = LegacyTouchpoint.objects.filter(team__archived_at=None).select_related("team")
    for place in found.order_by("team__slug", "name", "id"):
        row: dict[str, Any] = {"team": place.team.slug, "name": place.name, "kind": place.kind}
        row |= {name: getattr(place, name) for name in _WORDS if getattr(place, name)}
        row |= {} if place.spend_micros is None else {"spend": spend_of(place.spend_micros)}
        row["status"] = place.status
        if place.replaced_by_id is not None:
            by = replacement(place.team_id, place.replaced_by_kind, place.replaced_by_id)
            if by is None or not any((kind, place.team.slug, name) in named for kind, name in by.items()):
                message = f"{place.replaced_by_kind} {place.replaced_by_name}"
                left_out.append(f"what has the work of {place.name} in {place.team.slug} now, {message}.")
            else:
                row["replaced_by"] = by
        rows.append(row)
    return rows
