"""Render a prompt ref with variables to messages, from memory."""

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings

from prompts_app import shapes
from prompts_app.errors import MissingPartial, UnknownLabel, UnknownPrompt, UnknownVersion
from prompts_app.models import Kind
from prompts_app.shapes import Finder, InDatabase, Key, PromptShape, VersionShape, default_label
from prompts_app.text.refs import Ref
from prompts_app.text.render import Rendered, Shape, render


class NotRead(Exception):
    """A version takes part that this process has not read yet. Read it and try again."""

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.key = key


class Filled(NamedTuple):
    version: VersionShape
    rendered: Rendered


def _version(prompt: PromptShape, number: int) -> VersionShape:
    found = shapes.cached((prompt.id, number))
    if found is None:
        raise NotRead((prompt.id, number))
    return found


def fill(
    finder: Finder,
    team_id: uuid.UUID,
    ref: Ref,
    environment: str,
    values: Mapping[str, Any],
    *,
    text_role: str = "user",
) -> Filled:
    """Render what a ref means for a team. Asks no database: raises NotRead for a version that is not in memory."""
    prompt, number = finder.find(team_id, ref, environment)
    if prompt is None:
        raise UnknownPrompt(ref.slug, param="prompt.id")
    if number is None:
        usual = default_label(environment)
        why = "" if ref.label else f", which calls in {environment} mean when they name none"
        raise UnknownLabel(ref.slug, ref.label or usual, has=prompt.labels, why=why, param="prompt.label")
    owners = {prompt.slug: prompt.team_id}

    def lookup(of: Shape, include: Ref) -> Shape:
        """Find a partial as the team of the text that includes it sees it."""
        partial, number = finder.find_partial(owners[of.slug], include, environment)
        if partial is None:
            raise MissingPartial(str(include))
        if number is None:
            raise MissingPartial(str(include), f"it has no label {include.label or default_label(environment)!r}")
        owners[partial.slug] = partial.team_id
        return _version(partial, number)

    version = _version(prompt, number)
    rendered = render(version, values, lookup, limit=settings.PROMPT_RENDERED_CHARS, text_role=text_role)
    return Filled(version, rendered)


def not_there(error: NotRead, ref: Ref) -> UnknownVersion | MissingPartial:
    """Return the refusal for a version that the database does not have either."""
    _, number = error.key
    if ref.number == number:
        return UnknownVersion(ref.slug, number, param="prompt.version")
    return MissingPartial(f"…@{number}", f"it has no version {number}")


def fill_now(
    team_id: uuid.UUID, ref: Ref, environment: str, values: Mapping[str, Any], *, text_role: str = "user"
) -> Filled:
    """Render what a ref means for a team, reading from the database what is not in memory."""
    finder = Finder(InDatabase())
    while True:
        try:
            return fill(finder, team_id, ref, environment, values, text_role=text_role)
        except NotRead as error:
            if not shapes.read([error.key]):
                raise not_there(error, ref) from None


def is_callable(kind: str) -> bool:
    """Return whether calls may name a prompt of this kind; a partial is only ever included."""
    return kind != Kind.PARTIAL
