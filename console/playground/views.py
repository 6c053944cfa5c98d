"""The playground: one prompt, up to three set-ups, and their answers beside each other."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from console.core.errors import NotFound, Refusal
from console.core.htmx import is_htmx
from console.core.sse import PING, event_stream
from console.gateway import sync
from console.gateway.refusing import Identify
from console.gateway.types import Ask
from console.playground import choices
from console.playground.answering import events
from console.playground.asking import ask_of, body_of, version_of
from console.playground.bench import LETTERS, Bench, SetUp, read
from console.playground.events import Event, encode
from console.playground.snippets import snippets
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app import access
from prompts_app.models import Prompt, PromptVersion
from prompts_app.text.refs import parse_ref
from prompts_app.text.variables import example_values


@needs("use_models")
@require_http_methods(["GET", "HEAD", "POST"])
def bench(request: TeamRequest) -> HttpResponse:
    """Show the page; without scripts, also run it and wait for whole answers."""
    if request.method != "POST":
        return _page(request, *_begun(request))
    typed = read(request.POST)
    team, prompt, refused = _found(request, typed)
    do = request.POST.get("do", "run")
    if do == "add":
        typed = typed.added()
    elif do.startswith("remove-"):
        typed = typed.without(do.removeprefix("remove-"))
    elif do == "prompt":
        typed = _fitted(request, typed, prompt)
    elif not refused:
        typed = _run(request, typed, team, prompt)
    return _page(request, typed, team, prompt, refused, status=422 if refused else 200)


@needs("use_models")
@require_POST
def stream(request: TeamRequest) -> HttpResponseBase:
    """Answer one set-up as it comes in: server-sent events with the names of `events.py`."""
    typed = read(request.POST)
    try:
        team, prompt, refused = _found(request, typed)
        if refused:
            raise NotFound(refused)
        identify, ask = ask_of(request, typed, _chosen(request, typed), prompt, team)
    except Refusal as refusal:
        return event_stream(_refused(refusal.message))
    return event_stream(_encoded(identify, ask))


@needs("use_models")
@require_POST
def code(request: TeamRequest) -> HttpResponse:
    """Show one set-up as a program would call it."""
    typed = read(request.POST)
    _, prompt, refused = _found(request, typed)
    if refused:
        raise NotFound(refused)
    set_up = _chosen(request, typed)
    shown = snippets(body_of(typed, set_up, prompt), settings.BASE_URL)
    template = "playground/code.html#dialog" if is_htmx(request) else "playground/code.html"
    return render(request, template, {"active": "playground", "snippets": shown, "set_up": set_up})


async def _refused(message: str) -> AsyncGenerator[bytes, None]:
    yield encode(Event("error", {"message": message}))


async def _encoded(identify: Identify, ask: Ask) -> AsyncGenerator[bytes, None]:
    # Signing in took a connection of this request's thread; it would stay taken for as long as the model talks.
    await sync_to_async(close_old_connections)()
    async with aclosing(events(identify, ask)) as told:
        async for event in told:
            yield PING if event is None else encode(event)


# What was typed, and what it names ------------------------------------------------------------------------------------


def _teams(request: HttpRequest) -> list[Team]:
    return list(teams_for(request.caller, "use_models"))  # type: ignore[attr-defined]


def _team(teams: list[Team], *wanted: str) -> Team:
    if not teams:
        raise PermissionDenied("You may not call models for any team. An owner of a team can change your role.")
    by_slug = {team.slug: team for team in teams}
    return next((by_slug[slug] for slug in wanted if slug in by_slug), teams[0])


def _found(request: TeamRequest, typed: Bench) -> tuple[Team, Prompt | None, str]:
    """Return the team, the prompt, and what to say when there is no such prompt."""
    team = _team(_teams(request), typed.team, request.GET.get("team", ""))
    if not typed.slug:
        return team, None, ""
    try:
        return team, access.prompt_for(request.caller, typed.slug), ""
    except Refusal as refusal:
        return team, None, refusal.message


def _chosen(request: TeamRequest, typed: Bench) -> SetUp:
    set_up = typed.set_up(request.GET.get("set-up", ""))
    if set_up is None:
        raise NotFound("There is no such set-up on the page. Reload it and try again.")
    return set_up


def _begun(request: TeamRequest) -> tuple[Bench, Team, Prompt | None, str]:
    """Return the page somebody opens: the prompt of the address, what is live beside what is newest."""
    named = request.GET.get("prompt", "")[:300]
    ref = parse_ref(named)
    prompt, refused = None, ""
    if named:
        try:
            prompt = access.prompt_for(request.caller, ref.slug if ref else named)
        except Refusal as refusal:
            refused = refusal.message
    teams = _teams(request)
    team = _team(teams, request.GET.get("team", ""), prompt.team.slug if prompt else "")
    typed = Bench(team=team.slug, slug=prompt.slug if prompt else "")
    return _fitted(request, typed, prompt, number=ref.number if ref else None), team, prompt, refused


def _fitted(request: TeamRequest, typed: Bench, prompt: Prompt | None, number: int | None = None) -> Bench:
    """Return the page for a prompt: its live version in A and its newest (or the one asked for) in B."""
    found = choices.models(request.caller, _team(_teams(request), typed.team))
    kept = [one.model for one in typed.set_ups] or [one.value for one in found[:2]]
    names = (kept + kept[-1:] + ["", ""])[:2]
    numbers = ["", ""]
    if prompt is not None:
        shown = choices.versions(prompt)
        newest = number or shown[0].number
        live = next((one.number for one in shown if "production" in one.labels), newest)
        numbers = [str(live), str(newest)]
        if live != newest and not typed.set_ups:
            names = [names[0], names[0]]  # two versions on one model: only one thing differs
    rows = tuple(SetUp(LETTERS[at], version=numbers[at], model=names[at]) for at in range(2))
    return replace(typed, set_ups=rows)


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
    for letter, answered in sync.run(_answers(asks)).items():
        row = typed.set_up(letter)
        assert row is not None
        typed = typed.replacing(replace(row, **answered))
    return typed


async def _answers(asks: dict[str, tuple[Identify, Ask]]) -> dict[str, dict[str, Any]]:
    found = await asyncio.gather(*(_answer(identify, ask) for identify, ask in asks.values()))
    return dict(zip(asks, found, strict=True))


async def _answer(identify: Identify, ask: Ask) -> dict[str, Any]:
    said: dict[str, Any] = {"answer": "", "error": "", "figures": {}}
    async with aclosing(events(identify, ask)) as told:
        async for event in told:
            if event is None:
                continue
            if event.name == "text":
                said["answer"] += event.data["text"]
            elif event.name == "error":
                said["error"] = event.data["message"]
            elif event.name == "end":
                said["figures"] = event.data
    return said


# The page -------------------------------------------------------------------------------------------------------------


def _page(
    request: TeamRequest, typed: Bench, team: Team, prompt: Prompt | None, refused: str = "", *, status: int = 200
) -> HttpResponse:
    rows = _versions(prompt, typed)
    declared = choices.variables(rows)
    examples = example_values([one for one in declared if one.get("example") is not None])
    fields = [
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
    context = {
        "active": "playground",
        "bench": typed,
        "team": team,
        "teams": _teams(request),
        "prompt": prompt,
        "refused": refused,
        "models": choices.models(request.caller, team),
        "versions": choices.versions(prompt) if prompt else [],
        "prompts": choices.prompts(request.caller),
        "fields": [one for one in fields if not one["has_default"]],
        "more_fields": [one for one in fields if one["has_default"]],
        "can_add": len(typed.set_ups) < len(LETTERS),
        "run_words": {1: "Run", 2: "Run both"}.get(len(typed.set_ups), "Run all three"),
        "count_words": {1: "One set-up", 2: "Same input, two set-ups"}.get(
            len(typed.set_ups), "Same input, three set-ups"
        ),
        "may_test": prompt is not None and request.caller.may("build", prompt.team_id),
        "may_read_log": request.caller.may("view_audit", team.pk),
    }
    return render(request, "playground/bench.html", context, status=status)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


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
