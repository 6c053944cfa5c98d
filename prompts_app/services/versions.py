"""Save versions. They are immutable; saving again creates the next."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction

from console.audit import actions
from console.core.clock import now
from console.core.errors import BadInput
from console.teams.callers import Actor
from prompts_app.errors import NothingChanged, StalePrompt
from prompts_app.models import Draft, Prompt, PromptVersion
from prompts_app.parameters import check_parameters
from prompts_app.services.common import locked, person_of, record_change, refresh
from prompts_app.services.includes import as_json, check_includes, check_required, lock_around
from prompts_app.text.content import Read, read_content
from prompts_app.text.plain import check_plain
from prompts_app.text.variables import check_declared

_LONGEST_MESSAGE = 500


def check_message(message: str) -> str:
    message = message.strip()
    if len(message) > _LONGEST_MESSAGE:
        raise BadInput(f"The message has {len(message)} characters; {_LONGEST_MESSAGE} is the most.", param="message")
    check_plain(message, "The message", param="message")
    return message


def read(content: Any, kind: str) -> Read:
    """Check and read a content within the installation's limit."""
    return read_content(content, kind, limit=settings.PROMPT_TEXT_CHARS)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who wrote a version and when, where that is not who saves it now; and the number it has elsewhere."""

    author_name: str = ""
    author_email: str = ""
    created_at: dt.datetime | None = None
    number: int | None = None


HERE = Provenance()


def add_version(
    *,
    actor: Actor,
    prompt: Prompt,
    content: Read,
    variables: Sequence[Any],
    parameters: dict[str, Any] | None,
    message: str,
    provenance: Provenance = HERE,
) -> PromptVersion:
    """Write the next version of a prompt whose row is locked, and make it the head.

    A number that its provenance names must be later than all there are.
    """
    declared = check_declared(list(variables), content.variables)
    check_required(prompt, check_includes(prompt, content.includes))
    head = prompt.head
    kept = {"content": content.content, "variables": declared, "parameters": check_parameters(parameters)}
    after, number = head.number if head else 0, provenance.number
    if number is not None and number <= after:
        raise BadInput(f"{prompt.slug} has version {after} by now; {number} is no later one.", param="number")
    if number is None and head is not None and all(getattr(head, name) == value for name, value in kept.items()):
        raise NothingChanged(f"Nothing differs from version {head.number}, so there is nothing to save.")
    person = None if provenance.author_name else person_of(actor)
    version = PromptVersion.objects.create(
        prompt=prompt,
        number=number or after + 1,
        includes=as_json(content.includes),
        message=check_message(message),
        parent=head,
        author_id=person.pk if person else None,
        author_name=(provenance.author_name or actor.name)[:200],
        author_email=(provenance.author_email or (person.email if person else ""))[:254],
        created_at=provenance.created_at or now(),
        **kept,
    )
    prompt.head = version
    prompt.save(update_fields=["head"])
    refresh(prompt)
    if person is not None:
        Draft.objects.filter(prompt=prompt, person=person).delete()
    return version


def stale(prompt: Prompt, parent: PromptVersion | None) -> StalePrompt:
    """Return the refusal of a save that began on an older version, saying who saved what since."""
    head = prompt.head
    if head is None:
        raise AssertionError("A prompt has a head from its first moment.")
    message = f": {head.message}" if head.message else ""
    began = f"version {parent.number}" if parent else "nothing"
    return StalePrompt(
        f"{head.author_name} saved version {head.number} of {prompt.slug} at {head.created_at:%H:%M:%S} UTC{message}. "
        f"Yours began on {began}; compare the two and save again on version {head.number}.",
        head=head.number,
    )


@transaction.atomic
def save_version(
    *,
    actor: Actor,
    prompt: Prompt,
    content: Any,
    variables: Sequence[Any] = (),
    parameters: dict[str, Any] | None = None,
    message: str = "",
    parent: PromptVersion | None,
    provenance: Provenance = HERE,
) -> PromptVersion:
    """Save what was written on top of `parent` as the next version.

    Nobody's calls change by it: a label has to move first. When the head is no longer `parent`, this is a StalePrompt
    that says who saved what, and nothing is written.
    """
    read_text = read(content, prompt.kind)
    lock_around(prompt, read_text.includes)
    prompt = locked(prompt)
    if prompt.head_id != (parent.pk if parent else None):
        raise stale(prompt, parent)
    version = add_version(
        actor=actor,
        prompt=prompt,
        content=read_text,
        variables=variables,
        parameters=parameters,
        message=message,
        provenance=provenance,
    )
    detail = {"version": version.number, "message": version.message, "author": version.author_name}
    record_change(actions.PROMPT_SAVED, actor=actor, prompt=prompt, detail=detail)
    return version
