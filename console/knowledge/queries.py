"""Queries of collections: number of documents, progress of vectors, suitable models."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, Sum

from console.catalog import access as catalog
from console.catalog.models import Capability, ModelVersion
from console.knowledge.models import Collection, Document, Passage
from console.teams.callers import Caller

DOCUMENTS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection with the counts of what a search looks through."""

    collection: Collection
    documents: int
    passages: int
    lacking: int  # passages without a vector; 0 where no model makes any

    @property
    def made(self) -> int:
        return self.passages - self.lacking

    @property
    def percent(self) -> float:
        return 100 * self.made / self.passages if self.passages else 100.0

    @property
    def is_by_words(self) -> bool:
        return self.collection.model_id is None

    @property
    def is_making(self) -> bool:
        return bool(self.lacking) and not self.collection.problem

    @property
    def unusable(self) -> str:
        """Why the model of the collection answers nobody; empty when it can."""
        model = self.collection.model
        if model is None:
            return ""
        if model.retired_at is not None:
            return f"{model} is retired. Choose another model; until then words decide alone."
        if not model.provider.is_enabled:
            return f"The provider of {model} is switched off. Until it is on again, words decide alone."
        return ""

    @property
    def state(self) -> tuple[str, str]:
        """What its badge says, and in which tone."""
        if self.is_by_words:
            return "By words", "line"
        if self.unusable or self.collection.problem:
            return "By words for now", "warn"
        if self.lacking:
            return "Making vectors", "brand"
        return "By words and meaning", "ok"


def rows(collections: QuerySet[Collection]) -> list[CollectionRow]:
    """Return collections with their counts, in three queries however many there are."""
    found = list(collections.order_by("name", "id"))
    ids = [collection.pk for collection in found]
    living = Document.objects.filter(collection__in=ids, deleted_at=None).values("collection")
    counted = living.annotate(documents=Count("id"), passages=Sum("current__passages_made"))
    held = {one["collection"]: (one["documents"], one["passages"] or 0) for one in counted}
    lacking = _lacking([collection.pk for collection in found if collection.model_id is not None])
    return [
        CollectionRow(collection, *held.get(collection.pk, (0, 0)), lacking.get(collection.pk, 0))
        for collection in found
    ]


def row(collection: Collection) -> CollectionRow:
    return rows(Collection.objects.filter(pk=collection.pk).select_related("team", "model__provider", "payer"))[0]


def _lacking(ids: Iterable[object]) -> dict[object, int]:
    found = (
        Passage.objects.filter(
            embedding=None,
            version__document__collection__in=list(ids),
            version__document__deleted_at=None,
            version__document__current=F("version"),
        )
        .values("version__document__collection")
        .annotate(count=Count("id"))
    )
    return {one["version__document__collection"]: one["count"] for one in found}


def documents_of(collection: Collection) -> QuerySet[Document]:
    """Return the living documents by name, with what their rows show; texts are not read."""
    return (
        Document.objects.filter(collection=collection, deleted_at=None)
        .select_related("current")
        .defer("current__text")
        .order_by("name", "id")
    )


def embedding_models(caller: Caller) -> QuerySet[ModelVersion]:
    """Return the models whose vectors a caller may choose: the built-in one, and those that aliases lead them to."""
    mine = Q(pk__in=catalog.versions_for(caller).values("pk")) | Q(provider__is_builtin=True)
    found = ModelVersion.objects.filter(
        mine,
        capabilities__contains=[Capability.EMBEDDING],
        retired_at=None,
        provider__is_enabled=True,
    )
    return found.select_related("provider").order_by("-provider__is_builtin", "provider__slug", "name")
