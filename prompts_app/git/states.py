"""The console's prompts as documents, to compare with files."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from console.core.errors import Refusal
from prompts_app.git.document import Document
from prompts_app.models import Prompt, PromptVersion
from prompts_app.parameters import check_parameters
from prompts_app.services.versions import read
from prompts_app.text.variables import check_declared


def document_of(prompt: Prompt, version: PromptVersion) -> Document:
    """Return the document of a version, with what is said of its prompt today."""
    return Document(
        kind=prompt.kind,
        content=version.content,
        description=prompt.description,
        tags=prompt.tags,
        team=prompt.team.slug,
        visibility=prompt.visibility,
        variables=version.variables,
        parameters=version.parameters,
    )


def settled(document: Document) -> Document | None:
    """Return what a save would make of a document; None when it would be refused."""
    try:
        content = read(document.content, document.kind)
        return replace(
            document,
            content=content.content,
            variables=check_declared(list(document.variables), content.variables),
            parameters=check_parameters(document.parameters),
        )
    except Refusal:
        return None


def same(one: Document | None, other: Document | None) -> bool:
    """Return whether versions made of both would be equal."""
    a, b = (settled(document) if document else None for document in (one, other))
    return a is not None and b is not None and a.says_the_same(b)


def key_of(document: Document) -> Hashable:
    """Return what two documents share of which versions would be equal (see `same`); None when neither can be saved."""
    kept = settled(document)
    if kept is None:
        return None
    return kept.kind, _frozen(kept.content), _frozen(kept.variables), _frozen(kept.parameters)


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return frozenset((name, _frozen(inner)) for name, inner in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def is_written(document: Document | None, now: Document) -> bool:
    """Return whether a file says all there is to say: the version, and whatever it says of the prompt besides."""
    if document is None or not same(document, now):
        return False
    pairs = [(getattr(document, f), getattr(now, f)) for f in ("team", "visibility", "description", "tags")]
    return all(said is None or said == is_so for said, is_so in pairs)
