"""Save drafts. They are private and not recorded."""

import datetime as dt
import json
from typing import Any

from django.conf import settings
from django.db import transaction

from console.core.clock import now
from console.core.errors import BadInput
from console.teams.callers import Actor
from console.teams.models import User
from prompts_app.models import Draft, Prompt, PromptVersion
from prompts_app.services.common import person_of
from prompts_app.text.plain import check_plain

# Somebody whose draft is older than this is not writing any more.
_WRITING = dt.timedelta(hours=12)


@transaction.atomic
def keep_draft(
    *,
    actor: Actor,
    prompt: Prompt | None,
    base: PromptVersion | None,
    content: list[dict[str, str]],
    variables: list[Any] | None = None,
    parameters: dict[str, Any] | None = None,
    message: str = "",
    about: dict[str, str] | None = None,
) -> Draft:
    """Keep a draft as it was typed, right or wrong; only its size is checked. One a person and prompt.

    Without a prompt it is of the one they are about to make; `about` is what they typed of its name, team and kind.
    """
    person = person_of(actor)
    if person is None:
        raise BadInput("Drafts belong to people; this key answers to nobody.")
    fields = {"content": content, "variables": variables or [], "parameters": parameters or {}, "about": about or {}}
    if len(json.dumps(fields)) > 2 * settings.PROMPT_TEXT_CHARS + 100_000:
        raise BadInput("The draft is too long to be kept.", param="content")
    check_plain([*fields.values(), message], "The draft", param="content")
    if base is not None and (prompt is None or base.prompt_id != prompt.pk):
        raise BadInput(f"{base} is not a version of {prompt.slug if prompt else 'it'}.", param="base")
    draft, _ = Draft.objects.update_or_create(
        prompt=prompt, person=person, defaults={**fields, "base": base, "message": message[:500], "changed_at": now()}
    )
    return draft


def draft_of(prompt: Prompt | None, person: User | None) -> Draft | None:
    if person is None:
        return None
    return Draft.objects.filter(prompt=prompt, person=person).select_related("base").first()


@transaction.atomic
def drop_draft(*, actor: Actor, prompt: Prompt | None) -> None:
    """Forget the actor's own draft."""
    Draft.objects.filter(prompt=prompt, person=person_of(actor)).delete()


def others_drafting(prompt: Prompt, person: User | None) -> list[Draft]:
    """Return the drafts others work on now, so that two people writing the same prompt are told."""
    rows = Draft.objects.filter(prompt=prompt, changed_at__gte=now() - _WRITING).select_related("person")
    return list((rows.exclude(person=person) if person else rows).order_by("-changed_at", "-id"))
