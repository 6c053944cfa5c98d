"""The context of the page: the form, the choices, and the answers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from console.chat import files
from console.core.errors import Refusal
from console.core.formatting import as_text
from console.playground import choices, lookup
from console.playground.answer_checks import Checked
from console.playground.attachments import seen_in
from console.playground.bench import DRAFT, LETTERS, ROLES, Bench, Turn
from console.playground.drafts import Drafted, kept_at
from console.playground.lookup import Choice
from console.playground.requests import draft_of, version_of
from console.teams.callers import TeamRequest
from prompts_app.models import Prompt, PromptVersion
from prompts_app.text.variables import example_values
from usage_app.queries.audit.content import turns_of


def page(
    request: TeamRequest,
    typed: Bench,
    named: Choice,
    *,
    checked: Checked | None = None,
    said: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    """Return the page as it was typed. `said` is what cannot be asked again of a recorded call."""
    team, prompt = named.team, named.prompt
    rows = _versions(prompt, typed)
    fields = _fields(choices.variables(rows, _draft(request, prompt, typed)), typed)
    context = {
        "active": "playground",
        "bench": typed,
        "team": team,
        "teams": lookup.teams_of(request),
        "prompt": prompt,
        "refused": named.refused,
        "said": said,
        "roles": ROLES,
        "turns": [(turn, _as_words(turn), list(seen_in(turn))) for turn in typed.turns],
        "endings": files.accepted(sees=True),
        "extra": ", ".join(_names(typed.extra)),
        "models": choices.models(request.caller, team),
        "versions": choices.versions(prompt) if prompt else [],
        "draft_at": kept_at(prompt, request.caller.user) if prompt else None,
        "tries_draft": any(set_up.version == DRAFT for set_up in typed.set_ups),
        "prompts": choices.prompts(request.caller),
        "fields": [field for field in fields if not field["has_default"]],
        "more_fields": [field for field in fields if field["has_default"]],
        "cases": choices.cases(request.caller, prompt) if prompt else [],
        "checked": checked,
        "can_add": len(typed.set_ups) < len(LETTERS),
        "run_words": {1: "Run", 2: "Run both"}.get(len(typed.set_ups), "Run all three"),
        "count_words": {1: "One set-up", 2: "Same input, two set-ups"}.get(
            len(typed.set_ups), "Same input, three set-ups"
        ),
        "may_test": prompt is not None and not typed.turns and request.caller.may("build", prompt.team_id),
        "may_read_log": request.caller.may("view_audit", team.pk),
    }
    return render(request, "playground/bench.html", context, status=status)


def _fields(declared: Sequence[Mapping[str, Any]], typed: Bench) -> list[dict[str, Any]]:
    """Return what the page shows of each variable: what was typed, or its example."""
    examples = example_values([one for one in declared if one.get("example") is not None])
    return [
        {
            "name": one["name"],
            "type": one["type"],
            "choices": one.get("choices") or [],
            "has_default": one.get("default") is not None or not one.get("is_required", True),
            "default": one.get("default"),
            "text": typed.values.get(one["name"], _text(examples.get(one["name"]))),
        }
        for one in declared
    ]


def _as_words(turn: Turn) -> str:
    """Return a message that is more than words in words, as the log shows it."""
    try:
        parts = turns_of({"messages": [json.loads(turn.raw)]}) if turn.raw else []
    except (ValueError, RecursionError):
        parts = []
    return "\n".join(part.text for part in parts if part.text) or turn.raw


def _names(extra: str) -> list[str]:
    """Return the fields that go along; what cannot be read is said when it is run."""
    try:
        found = json.loads(extra) if extra else {}
    except (ValueError, RecursionError):
        return ["what cannot be read"]
    return list(found) if isinstance(found, dict) else ["what cannot be read"]


def _text(value: Any) -> str:
    return "" if value is None else as_text(value)


def _draft(request: TeamRequest, prompt: Prompt | None, typed: Bench) -> Drafted | None:
    """Return the draft that is on the page; why one cannot be sent is said when it is run."""
    for set_up in typed.set_ups:
        try:
            found = draft_of(prompt, set_up, request.caller.user)
        except Refusal:
            return None
        if found is not None:
            return found
    return None


def _versions(prompt: Prompt | None, typed: Bench) -> list[PromptVersion]:
    """Return the versions on the page; a number that is not there is said when it is run."""
    found: dict[int, PromptVersion] = {}
    for set_up in typed.set_ups:
        try:
            row = version_of(prompt, set_up)
        except Refusal:
            continue
        if row is not None:
            found[row.number] = row
    return list(found.values())
