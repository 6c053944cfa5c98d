"""Create, change and delete collections, and rebuild their vectors."""

import re
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.catalog.models import Capability, ModelVersion
from console.core import texts
from console.core.clock import now
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import insert
from console.core.tasks import enqueue_on_commit
from console.knowledge import sql, where_used
from console.knowledge.errors import StaleCollection, StillUsed
from console.knowledge.models import Collection, Document, Language, Passage
from console.teams.actors import Actor
from console.teams.models import Team

MOST_COLLECTIONS = 200  # of a team, and of the organisation: pages and answers list them all
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_SHOWN = ("name", "description", "language", "model", "payer", "least_likeness")
UNSET: Any = object()


def locked(collection: Collection) -> Collection:
    """Return the collection as it is now, its row locked until commit; gone is stale."""
    found = (
        Collection.objects.select_for_update(no_key=True, of=("self",))
        .select_related("team", "model__provider", "payer")
        .filter(pk=collection.pk, deleted_at=None)
        .first()
    )
    if found is None:
        raise StaleCollection(f"{collection.name} was deleted meanwhile.")
    return found


def _logged(collection: Collection) -> dict[str, Any]:
    return {name: str(value) if (value := getattr(collection, name)) is not None else None for name in _SHOWN}


def _check_model(model: ModelVersion | None, payer: Team | None) -> None:
    if model is None:
        return
    if Capability.EMBEDDING not in model.capabilities:
        raise BadInput(f"{model} does not make embeddings; choose a model that does, or none.", param="model")
    if model.retired_at is not None:
        raise BadInput(f"{model} is retired; choose another.", param="model")
    _check_payer(model, payer)


def _check_payer(model: ModelVersion | None, payer: Team | None) -> None:
    if model is not None and payer is None:
        raise BadInput("Say which team pays for the vectors.", param="payer")


def _check_language(language: str) -> str:
    if language not in Language.values:
        raise BadInput(f"language must be one of {', '.join(Language.values)}.", param="language")
    return language


def _check_likeness(likeness: float | None) -> float | None:
    if likeness is not None and not 0 <= likeness <= 1:
        raise BadInput("The least likeness is a number from 0 to 1.", param="least_likeness")
    return likeness


@transaction.atomic
def create_collection(
    *,
    actor: Actor,
    team: Team | None,
    slug: str,
    name: str,
    description: str = "",
    language: str = Language.ENGLISH,
    model: ModelVersion | None = None,
    payer: Team | None = None,
    least_likeness: float | None = None,
) -> Collection:
    """Make a collection of a team, or, without one, of the whole organisation. Its slug never changes."""
    if not _SLUG.fullmatch(slug):
        raise BadInput(
            f"{slug[:64]!r} cannot be a short name; write up to 64 lower-case letters, digits and hyphens, and begin"
            " and end without a hyphen.",
            param="slug",
        )
    if Collection.objects.filter(team=team, deleted_at=None).count() >= MOST_COLLECTIONS:
        whose = team.name if team else "The organisation"
        raise BadInput(f"{whose} has {MOST_COLLECTIONS} collections, which is the most. Delete one that nothing uses.")
    payer = team or payer if model is not None else None
    _check_model(model, payer)
    collection = Collection(
        team=team,
        slug=slug,
        name=texts.line(name, "name", most=80, is_required=True),
        description=texts.line(description, "description", most=300),
        language=_check_language(language),
        model=model,
        payer=payer,
        least_likeness=_check_likeness(least_likeness),
    )
    whose = team.name if team else "The organisation"
    insert(collection, Conflict(f"{whose} has a collection {slug!r} already; choose another short name.", param="slug"))
    after = {"team": team.slug if team else None, "slug": slug} | _logged(collection)
    record(actions.COLLECTION_CREATED, actor=actor, target=collection, detail={"after": after})
    return collection


@transaction.atomic
def change_collection(
    *,
    actor: Actor,
    collection: Collection,
    seen_revision: int | None = None,
    name: str | None = None,
    description: str | None = None,
    language: str | None = None,
    model: ModelVersion | None = UNSET,
    payer: Team | None = UNSET,
    least_likeness: float | None = UNSET,
) -> Collection:
    """Change what is said of a collection and how it is read. Another model begins its vectors again."""
    collection = locked(collection)
    check_revision(collection.name, collection.revision, seen_revision, StaleCollection)
    before, had = _logged(collection), (collection.model_id, collection.language)
    if name is not None:
        collection.name = texts.line(name, "name", most=80, is_required=True)
    if description is not None:
        collection.description = texts.line(description, "description", most=300)
    if language is not None:
        collection.language = _check_language(language)
    if model is not UNSET:
        collection.model = model
    if least_likeness is not UNSET:
        collection.least_likeness = _check_likeness(least_likeness)
    if payer is not UNSET and collection.team_id is None:
        collection.payer = payer
    if collection.model is None:
        collection.payer = None
    elif collection.team is not None:
        collection.payer = collection.team
    if collection.model_id != had[0]:
        _check_model(collection.model, collection.payer)
    _check_payer(collection.model, collection.payer)
    after = _logged(collection)
    if before == after:
        return collection
    collection.revision += 1
    collection.problem, collection.retry_at, collection.failures = "", None, 0
    collection.save()
    if collection.language != had[1]:
        Passage.objects.filter(version__document__collection=collection).update(language=collection.language)
    if collection.model_id != had[0]:
        sql.forget_vectors(collection.pk)
    record(actions.COLLECTION_CHANGED, actor=actor, target=collection, detail=changes(before, after))
    want_vectors(collection)
    return collection


@transaction.atomic
def embed_again(*, actor: Actor, collection: Collection) -> int:
    """Make every vector of a collection again, say after its provider changed the model; returns how many went."""
    collection = _with_model(collection)
    gone = sql.forget_vectors(collection.pk)
    _try_now(collection)
    record(actions.COLLECTION_EMBEDDED_AGAIN, actor=actor, target=collection, detail={"vectors": gone})
    return gone


@transaction.atomic
def retry_vectors(*, actor: Actor, collection: Collection) -> None:
    """Go on with vectors that could not be made, without waiting for the next try."""
    collection = _with_model(collection)
    _try_now(collection)
    record(actions.COLLECTION_RETRIED, actor=actor, target=collection)


def _with_model(collection: Collection) -> Collection:
    collection = locked(collection)
    if collection.model is None:
        raise BadInput(f"{collection.name} has no embeddings model, so there are no vectors to make.", param="model")
    return collection


def _try_now(collection: Collection) -> None:
    collection.problem, collection.retry_at, collection.failures = "", None, 0
    collection.save(update_fields=["problem", "retry_at", "failures"])
    want_vectors(collection)


def want_vectors(collection: Collection) -> None:
    """Have the vectors that are missing made after commit, in the batch lane."""
    if collection.model_id is not None:
        enqueue_on_commit("knowledge.embed", collection.pk, queue="batch")


@transaction.atomic
def delete_collection(*, actor: Actor, collection: Collection) -> None:
    """Delete a collection nothing uses, with its documents. The versions stay: old answers were made with them."""
    collection = locked(collection)
    holders = [use for use in where_used.uses_of(collection) if use.holds]
    if holders:
        near = [use for use in holders if use.team_id in {None, collection.team_id} or collection.team_id is None]
        names = ", ".join(f"{use.kind} {use.name}" for use in near[:5])
        more = f" and {len(holders) - len(near[:5])} more" if len(holders) > len(near[:5]) else ""
        raise StillUsed(f"{collection.name} is in use: {names}{more}. Take it away there first.")
    documents = Document.objects.filter(collection=collection, deleted_at=None)
    held = list(documents.values_list("name", flat=True))
    at = now()
    documents.update(deleted_at=at)
    Passage.objects.filter(version__document__collection=collection).delete()
    collection.deleted_at = at
    collection.save(update_fields=["deleted_at"])
    before = _logged(collection) | {"documents": held}
    record(actions.COLLECTION_DELETED, actor=actor, target=collection, detail={"before": before})
