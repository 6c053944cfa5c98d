"""The similarity a passage needs to be sent with a question; unrelated ones cost tokens and mislead.

Likeness is a model's own measure: 0.2 says much of one and nothing of another. So there is a figure only where one was
measured (docs/decisions/knowledge.md), and whoever looks after a collection may say another, or 0 for everything.
"""

from collections.abc import Iterable, Sequence

from console.catalog.services.builtin import EMBEDDINGS
from console.knowledge.models import Collection
from console.knowledge.search import FoundPassage

MEASURED = 0.18  # of the built-in embeddings, with the demo's documents
# What shares a word with the question may be a name or a number, of which vectors know little.
_WITH_A_WORD = 0.5


def least_of(collection: Collection) -> float:
    """Return the likeness a passage of a collection needs; 0 for none."""
    if collection.least_likeness is not None or collection.model is None:
        return collection.least_likeness or 0.0
    model = collection.model
    is_measured = model.provider.is_builtin and (model.provider.slug, model.name) == (EMBEDDINGS.slug, EMBEDDINGS.name)
    return MEASURED if is_measured else 0.0


def alike_enough(passages: Iterable[FoundPassage], collections: Sequence[Collection]) -> list[FoundPassage]:
    """Return the passages that are sent with calls. One without a vector was found by its words, and is."""
    least = {collection.pk: least_of(collection) for collection in collections}
    return [one for one in passages if _is_alike(one, least[one.collection_id])]


def _is_alike(passage: FoundPassage, least: float) -> bool:
    if passage.similarity is None or not least:
        return True
    return passage.similarity >= (least if passage.words_place is None else least * _WITH_A_WORD)
