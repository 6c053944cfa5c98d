"""Try one's own draft of a prompt before it is saved: its text goes into the call, as there is no version to name."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from console.core.errors import BadInput, NotFound
from console.teams.models import User
from console.teams.rights import rights_in_team
from prompts_app import access
from prompts_app.forms import editor
from prompts_app.models import Draft, Prompt
from prompts_app.queries.preview import Written
from prompts_app.services.drafts import draft_of
from prompts_app.text.content import read_content


@dataclass(frozen=True, slots=True)
class Drafted:
    """What a draft would be as a version."""

    text: Written
    parameters: Mapping[str, Any]

    @property
    def variables(self) -> Sequence[Mapping[str, Any]]:
        return self.text.variables


def kept_at(prompt: Prompt, person: User | None) -> dt.datetime | None:
    """Return when the person's draft was kept last; None without one."""
    draft = _draft(prompt, person)
    return draft.changed_at if draft else None


def drafted(prompt: Prompt, person: User | None) -> Drafted:
    """Return the person's draft of a prompt; Refusal says why there is none that could be sent."""
    draft = _draft(prompt, person)
    if draft is None:
        raise NotFound("You have no draft of this prompt any more. Choose a version.", param="version")
    typed = editor.from_draft(prompt.kind, draft)
    read = read_content(typed.content, prompt.kind, limit=settings.PROMPT_TEXT_CHARS)
    below = Written(prompt.kind, prompt.slug, prompt.next_number, prompt.team_id, read, [])
    typed.match_variables(
        read.variables, {variable["name"]: variable for partial in below.partials for variable in partial.variables}
    )
    specs, parameters = typed.variable_specs(), typed.parameters()
    if typed.has_errors:
        wrong = [*(row.error for row in typed.variables if row.error), *typed.parameter_errors.values()]
        raise BadInput(f"The draft cannot be sent yet. {wrong[0]}", param="version")
    text = Written(prompt.kind, prompt.slug, prompt.next_number, prompt.team_id, read, specs)
    return Drafted(text, parameters)


def _draft(prompt: Prompt, person: User | None) -> Draft | None:
    """Return the person's draft while they may write the prompt: what it includes is looked up as the team's own."""
    draft = draft_of(prompt, person)
    if draft is None or person is None:
        return None
    return draft if access.RIGHTS["edit"] in rights_in_team(person, prompt.team_id) else None
