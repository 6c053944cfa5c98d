"""The only way to get a collection or document for somebody.

People and keys see the collections of their teams and those of the whole organisation. Everything else looks like
nothing. Writing needs the right `build` in the owning team; what is the organisation's only operators write.
"""

import uuid
from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from console.core.sql import get_or_raise, only
from console.knowledge.errors import UnknownCollection, UnknownDocument, UnknownDocumentVersion
from console.knowledge.models import Collection, Document, DocumentVersion
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team

_MOST_NAMED = 20


def visible_collections(viewer: Caller | Team | uuid.UUID) -> QuerySet[Collection]:
    """Return the living collections a caller may read, or those that calls of a team (or its id) may search."""
    living = Collection.objects.filter(deleted_at=None).select_related("team", "model__provider")
    of_open_teams = Q(team=None) | Q(team__archived_at=None)
    if not isinstance(viewer, Caller):
        team_id = viewer.pk if isinstance(viewer, Team) else viewer
        return living.filter(of_open_teams, Q(team=None) | Q(team_id=team_id))
    if viewer.is_operator:
        return living.filter(of_open_teams)
    if not viewer.may("view_team"):
        return living.none()
    return living.filter(Q(team=None) | Q(team__in=teams_for(viewer)))


def get_collection(team: Team | uuid.UUID, ref: str) -> Collection:
    """Return what calls of a team mean by a slug: the team's own collection, else the organisation's."""
    return get_all(team, [ref])[0]


def get_all(team: Team | uuid.UUID, refs: Iterable[str]) -> list[Collection]:
    """Return what calls of a team mean by several slugs, each once; UnknownCollection names the first missing one."""
    wanted = list(dict.fromkeys(refs))
    rows = visible_collections(team).filter(slug__in=[ref for ref in wanted if "\0" not in ref])
    found = {row.slug: row for row in sorted(rows, key=lambda row: row.team_id is not None)}
    for ref in wanted:
        if ref not in found:
            raise UnknownCollection(ref.replace("\0", "?"))
    return [found[ref] for ref in wanted]


def get_collections(team_id: uuid.UUID, refs: Iterable[str], param: str) -> list[Collection]:
    """Return what a caller named in `param`; whoever names one that is not there is told those that are."""
    try:
        return get_all(team_id, refs)
    except UnknownCollection as unknown:
        there = sorted(set(visible_collections(team_id).values_list("slug", flat=True)[:_MOST_NAMED]))
        named = f"There are: {', '.join(there)}." if there else "There are none yet."
        unknown.message, unknown.param = f"{unknown.message} {named}", param
        raise


def collection_for(caller: Caller, collection_id: uuid.UUID, to: str = "view") -> Collection:
    """Return the collection, 404 for those who cannot see it, 403 for those who see it and may not change it."""
    found = get_or_raise(visible_collections(caller).filter(pk=collection_id), UnknownCollection)
    if to != "view" and not may_change(caller, found):
        if found.team is None:
            raise PermissionDenied("Only operators change the collections of the whole organisation.")
        raise denied(found.team, caller, "build")
    return found


def may_change(caller: Caller, collection: Collection) -> bool:
    """Return whether the caller may write into a collection they can see."""
    return caller.is_operator if collection.team_id is None else caller.may("build", collection.team_id)


def sees_payer(caller: Caller, collection: Collection) -> bool:
    """Return whether the caller may read which team pays for vectors, and what its quotas say of that."""
    return collection.payer_id is None or caller.is_operator or caller.may("view_team", collection.payer_id)


def document_for(caller: Caller, document_id: uuid.UUID, to: str = "view") -> Document:
    """Return a living document of a collection the caller can see; as `collection_for` otherwise."""
    found = get_or_raise(
        Document.objects.filter(
            pk=document_id, deleted_at=None, collection__in=visible_collections(caller)
        ).select_related("collection__team", "collection__model__provider", "current"),
        UnknownDocument,
    )
    if to != "view":
        collection_for(caller, found.collection_id, to)
    return found


def version_for(document: Document, number: int) -> DocumentVersion:
    found = only(DocumentVersion.objects.filter(document=document, number=number)) if number < 2**31 else None
    if found is None:
        raise UnknownDocumentVersion(document.name, number)
    found.document = document
    return found


def owning_teams(caller: Caller) -> QuerySet[Team]:
    """Return the teams in which the caller may make collections."""
    return teams_for(caller, "build")
