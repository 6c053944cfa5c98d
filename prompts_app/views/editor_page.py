"""What the editors of new and existing prompts show."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render

from console.core.errors import Refusal
from console.core.htmx import is_htmx
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app.errors import BadText
from prompts_app.forms import editor as editing
from prompts_app.forms.editor import Editor
from prompts_app.queries import preview
from prompts_app.queries.text import ROLES
from prompts_app.text.variables import TYPES
from prompts_app.views.frame import ACTIVE


def template(request: TeamRequest) -> str:
    """Return the page, or of it the piece that htmx changes."""
    return "prompts/edit.html#editor" if is_htmx(request) else "prompts/edit.html"


def editor_context(typed: Editor, *, slug: str, number: int, team: Team) -> dict[str, Any]:
    """Return what the editor shows: what was typed, and what it comes to."""
    return {
        "active": ACTIVE,
        "editor": typed,
        "look": _look(typed, slug=slug, number=number, team=team),
        "partials": preview.partials_to_offer([team.pk], besides=slug),
        "text_chars": settings.PROMPT_TEXT_CHARS,
        "roles": ROLES.items(),
        "types": TYPES,
    }


def live(request: TeamRequest, typed: Editor, *, slug: str, number: int, team: Team) -> HttpResponse:
    """Answer the editor with what the text comes to so far."""
    context = {"editor": typed, "look": _look(typed, slug=slug, number=number, team=team), "types": TYPES}
    return render(request, "prompts/_live.html", context)


def _look(typed: Editor, *, slug: str, number: int, team: Team) -> preview.Look:
    """Look at the text as it stands, and give each of its variables a row."""
    typed.match_variables(preview.names_in(typed.content), {})
    for row in typed.variables:
        row.is_in_text = True
    found = preview.look(
        kind=typed.kind,
        slug=slug,
        number=number,
        team_id=team.pk,
        content=typed.content,
        specs=_quiet_specs(typed),
    )
    typed.match_variables(found.names, found.from_partials)
    if found.error and found.at is not None and found.at < len(typed.messages):
        typed.messages[found.at].error = typed.messages[found.at].error or found.error
    return found


def _quiet_specs(typed: Editor) -> list[dict[str, Any]]:
    """Return the declared variables as far as they can be read, without marking what cannot."""
    errors = [row.error for row in typed.variables]
    specs = typed.variable_specs()
    for row, error in zip(typed.variables, errors, strict=True):
        row.error = error
    for spec in specs:
        if spec["type"] == "choice" and not spec["choices"]:
            spec["type"] = "text"
    return specs


def note(typed: Editor, refusal: Refusal) -> None:
    """Put a service's refusal where it belongs: at a message, a variable, a parameter, or above."""
    param = refusal.param or ""
    kind, _, rest = param.partition(".")
    row = next((row for row in typed.variables if kind == "variables" and row.name == rest.partition(".")[0]), None)
    if isinstance(refusal, BadText):
        typed.messages[min(refusal.message_index or 0, len(typed.messages) - 1)].error = refusal.message
    elif row is not None:
        row.error = refusal.message
    elif kind == "parameters" and rest:
        typed.parameter_errors[rest if rest in editing.NUMBERS else "more"] = refusal.message
    else:
        typed.errors.append(refusal.message)
