"""The playground: one prompt, up to three set-ups, and their answers beside each other."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from console.chat import files
from console.core.errors import NotFound, Refusal
from console.core.htmx import is_htmx
from console.core.sse import PING, event_stream
from console.core.words import as_text
from console.gateway import sync
from console.gateway.refusing import Identify
from console.gateway.types import Ask
from console.playground import checking, choices, finding, rating, recorded
from console.playground.answering import events
from console.playground.asking import ask_of, body_of, draft_of, version_of
from console.playground.attaching import attached, seen_in
from console.playground.bench import DRAFT, LETTERS, RATINGS, ROLES, Bench, Turn, read
from console.playground.drafting import Drafted, kept_at
from console.playground.events import Event, encode
from console.playground.snippets import snippets
from console.teams.access import needs
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app.models import Prompt, PromptVersion
from prompts_app.text.variables import example_values
from usage_app.queries.audit.content import turns_of


@needs("use_models")
@require_http_methods(["GET", "HEAD", "POST"])
def bench(request: TeamRequest) -> HttpResponse:
    """Show the page; without scripts, also run it and wait for whole answers."""
    if request.method != "POST":
        return _recorded(request) if request.GET.get("record") else _page(request, *finding.begun(request))
    typed = read(request.POST)
    team, prompt, refused = finding.found(request, typed)
    do = request.POST.get("do", "run")
    changed = _changed(request, typed, prompt, do)
    if do == "attach":
        try:
            changed = attached(typed, request.FILES.getlist("files"))
        except Refusal as refusal:
            changed, refused = typed, refusal.message
    if changed is not None:
        typed = changed
    elif not refused and do != "check":
        typed = _run(request, typed, team, prompt)
    checked = _checked(request, typed, team, prompt) if do in {"run", "check"} else None
    return _page(request, typed, team, prompt, refused, checked=checked, status=422 if refused else 200)


def _changed(request: TeamRequest, typed: Bench, prompt: Prompt | None, do: str) -> Bench | None:
    """Return the page as a button that only changes it wants it; None for those that ask something."""
    word, _, which = do.partition("-")
    if do == "add":
        return typed.added()
    if do == "add-turn":
        return typed.with_turn()
    if do == "no-extra":
        return replace(typed, extra="")
    if do == "prompt":
        return finding.fitted(request, typed, prompt)
    if do == "case":
        return finding.filled(typed, finding.case(request, typed, prompt))
    if word == "remove":
        return typed.without(which)
    return typed.without_turn(which) if word == "turn" else None


def _recorded(request: TeamRequest) -> HttpResponse:
    """Begin with a call of the log."""
    event = recorded.event_for(request, request.GET["record"])
    teams = finding.teams_of(request)
    owner = next((team.slug for team in teams if team.pk == event.team_id), "")
    team = finding.team_among(teams, owner)
    try:
        bench, prompt, said = recorded.opened(request, event, team)
    except Refusal as refusal:
        typed = finding.fitted(request, Bench(team=team.slug), None)
        return _page(request, typed, team, None, refusal.message, status=422)
    return _page(request, bench, team, prompt, said=said)


@needs("use_models")
@require_POST
def stream(request: TeamRequest) -> HttpResponseBase:
    """Answer one set-up as it comes in: server-sent events with the names of `events.py`."""
    typed = read(request.POST)
    try:
        team, prompt, refused = finding.found(request, typed)
        if refused:
            raise NotFound(refused)
        identify, ask = ask_of(request, typed, finding.chosen(request, typed), prompt, team)
    except Refusal as refusal:
        return event_stream(_refused(refusal.message))
    return event_stream(_encoded(identify, ask, str(request.session.session_key)))


@needs("use_models")
@require_POST
def code(request: TeamRequest) -> HttpResponse:
    """Show one set-up as a program would call it."""
    typed = read(request.POST)
    _, prompt, refused = finding.found(request, typed)
    if refused:
        raise NotFound(refused)
    set_up = finding.chosen(request, typed)
    shown = snippets(body_of(typed, set_up, prompt, request.caller.user), settings.BASE_URL)
    template = "playground/code.html#dialog" if is_htmx(request) else "playground/code.html"
    return render(request, template, {"active": "playground", "snippets": shown, "set_up": set_up})


@needs("use_models")
@require_POST
def checks(request: TeamRequest) -> HttpResponse:
    """Hold the answers on the page to the checks of the chosen case."""
    typed = read(request.POST)
    team, prompt, refused = finding.found(request, typed)
    checked = _checked(request, typed, team, prompt)
    if not is_htmx(request):
        return _page(request, typed, team, prompt, refused, checked=checked)
    return render(request, "playground/_checks.html", {"bench": typed, "checked": checked})


@needs("use_models")
@require_POST
def rate(request: TeamRequest) -> HttpResponse:
    """Say of one answer that it is good or bad; the log keeps it beside the call."""
    typed = read(request.POST)
    set_up = finding.chosen(request, typed)
    says = request.POST.get("do", "")
    says = says if says in RATINGS and says != set_up.rating else ""
    actor = request.caller.actor
    rating.rate(actor=actor, answer=rating.answer_for(actor, set_up.request), says=says)
    set_up = replace(set_up, rating=says)
    if is_htmx(request):
        return render(request, "playground/_ratings.html", {"set_up": set_up})
    team, prompt, refused = finding.found(request, typed)
    return _page(request, typed.replacing(set_up), team, prompt, refused)


async def _refused(message: str) -> AsyncGenerator[bytes, None]:
    yield encode(Event("error", {"message": message}))


async def _encoded(identify: Identify, ask: Ask, session: str) -> AsyncGenerator[bytes, None]:
    # Signing in took a connection of this request's thread; it would stay taken for as long as the model talks.
    await sync_to_async(close_old_connections)()
    async with aclosing(events(identify, ask, session)) as told:
        async for event in told:
            yield PING if event is None else encode(event)


# Answers, without scripts ---------------------------------------------------------------------------------------------


def _run(request: TeamRequest, typed: Bench, team: Team, prompt: Prompt | None) -> Bench:
    """Return the page with the answers of all its set-ups, asked at once."""
    asks: dict[str, tuple[Identify, Ask]] = {}
    for set_up in typed.set_ups:
        try:
            asks[set_up.letter] = ask_of(request, typed, set_up, prompt, team)
        except Refusal as refusal:
            typed = typed.replacing(replace(set_up, error=refusal.message, answer=""))
    if not asks:
        return typed
    close_old_connections()
    for letter, answered in sync.run(_answers(asks, str(request.session.session_key))).items():
        row = typed.set_up(letter)
        assert row is not None
        typed = typed.replacing(replace(row, **answered))
    return typed


def _checked(request: TeamRequest, typed: Bench, team: Team, prompt: Prompt | None) -> checking.Checked | None:
    """Return what the checks of the chosen case say of the answers; None without a case or an answer."""
    case = finding.case(request, typed, prompt)
    if case is None or not any(one.answer for one in typed.set_ups):
        return None
    close_old_connections()
    return sync.run(checking.check(request, case, typed, team))


async def _answers(asks: dict[str, tuple[Identify, Ask]], session: str) -> dict[str, dict[str, Any]]:
    found = await asyncio.gather(*(_answer(identify, ask, session) for identify, ask in asks.values()))
    return dict(zip(asks, found, strict=True))


async def _answer(identify: Identify, ask: Ask, session: str) -> dict[str, Any]:
    said: dict[str, Any] = {"answer": "", "error": "", "figures": {}, "request": "", "rating": ""}
    async with aclosing(events(identify, ask, session)) as told:
        async for event in told:
            if event is None:
                continue
            if event.name == "text":
                said["answer"] += event.data["text"]
            elif event.name == "error":
                said["error"] = event.data["message"]
            elif event.name == "end":
                said["figures"], said["request"] = event.data, event.data["request"]
    return said


# The page -------------------------------------------------------------------------------------------------------------


def _page(
    request: TeamRequest,
    typed: Bench,
    team: Team,
    prompt: Prompt | None,
    refused: str = "",
    *,
    checked: checking.Checked | None = None,
    said: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    rows = _versions(prompt, typed)
    fields = _fields(choices.variables(rows, _draft(request, prompt, typed)), typed)
    context = {
        "active": "playground",
        "bench": typed,
        "team": team,
        "teams": finding.teams_of(request),
        "prompt": prompt,
        "refused": refused,
        "said": said,
        "roles": ROLES,
        "turns": [(turn, _shown(turn), list(seen_in(turn))) for turn in typed.turns],
        "endings": files.accepted(sees=True),
        "extra": ", ".join(_names(typed.extra)),
        "models": choices.models(request.caller, team),
        "versions": choices.versions(prompt) if prompt else [],
        "draft_at": kept_at(prompt, request.caller.user) if prompt else None,
        "tries_draft": any(one.version == DRAFT for one in typed.set_ups),
        "prompts": choices.prompts(request.caller),
        "fields": [one for one in fields if not one["has_default"]],
        "more_fields": [one for one in fields if one["has_default"]],
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


def _shown(turn: Turn) -> str:
    """Return a message that is more than words in words, as the log shows it."""
    try:
        said = turns_of({"messages": [json.loads(turn.raw)]}) if turn.raw else []
    except (ValueError, RecursionError):
        said = []
    return "\n".join(one.text for one in said if one.text) or turn.raw


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
