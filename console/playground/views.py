"""The playground: one prompt, up to three set-ups, and their answers side by side."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from console.core.errors import NotFound, Refusal
from console.core.htmx import is_htmx
from console.core.sse import PING, event_stream
from console.gateway import sync
from console.gateway.refusals import Identify
from console.gateway.types import Ask
from console.playground import answer_checks, lookup, ratings, recorded
from console.playground.attachments import attached
from console.playground.bench import RATINGS, Bench, read
from console.playground.events import Event, encode
from console.playground.generation import events
from console.playground.lookup import Choice
from console.playground.page import page
from console.playground.requests import ask_of, body_of
from console.playground.snippets import snippets
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app.models import Prompt


@needs("use_models")
@require_http_methods(["GET", "HEAD", "POST"])
def bench(request: TeamRequest) -> HttpResponse:
    """Show the page; without scripts, also run it and wait for whole answers."""
    if request.method != "POST":
        return _recorded(request) if request.GET.get("record") else page(request, *lookup.begun(request))
    typed = read(request.POST)
    named = lookup.look_up(request, typed)
    do = request.POST.get("do", "run")
    changed = _changed(request, typed, named.prompt, do)
    if do == "attach":
        try:
            changed = attached(typed, request.FILES.getlist("files"))
        except Refusal as refusal:
            changed, named = typed, named._replace(refused=refusal.message)
    if changed is not None:
        typed = changed
    elif not named.refused and do != "check":
        typed = _run(request, typed, named)
    checked = _checked(request, typed, named) if do in {"run", "check"} else None
    return page(request, typed, named, checked=checked, status=422 if named.refused else 200)


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
        return lookup.fitted(request, typed, prompt)
    if do == "case":
        return lookup.filled(typed, lookup.case(request, typed, prompt))
    if word == "remove":
        return typed.without(which)
    return typed.without_turn(which) if word == "turn" else None


def _recorded(request: TeamRequest) -> HttpResponse:
    """Begin with a call of the log."""
    event = recorded.event_for(request, request.GET["record"])
    teams = lookup.teams_of(request)
    owner = next((team.slug for team in teams if team.pk == event.team_id), "")
    team = lookup.team_among(teams, owner)
    try:
        bench, prompt, said = recorded.opened(request, event, team)
    except Refusal as refusal:
        typed = lookup.fitted(request, Bench(team=team.slug), None)
        return page(request, typed, Choice(team, None, refusal.message), status=422)
    return page(request, bench, Choice(team, prompt), said=said)


@needs("use_models")
@require_POST
def stream(request: TeamRequest) -> HttpResponseBase:
    """Answer one set-up as it comes in: server-sent events with the names of `events.py`."""
    typed = read(request.POST)
    try:
        named = lookup.look_up(request, typed)
        if named.refused:
            raise NotFound(named.refused)
        identify, ask = ask_of(request, typed, lookup.chosen(request, typed), named)
    except Refusal as refusal:
        return event_stream(_refused(refusal.message))
    return event_stream(_encoded(identify, ask, str(request.session.session_key)))


@needs("use_models")
@require_POST
def code(request: TeamRequest) -> HttpResponse:
    """Show one set-up as a program would call it."""
    typed = read(request.POST)
    named = lookup.look_up(request, typed)
    if named.refused:
        raise NotFound(named.refused)
    set_up = lookup.chosen(request, typed)
    shown = snippets(body_of(typed, set_up, named.prompt, request.caller.user), settings.BASE_URL)
    template = "playground/code.html#dialog" if is_htmx(request) else "playground/code.html"
    return render(request, template, {"active": "playground", "snippets": shown, "set_up": set_up})


@needs("use_models")
@require_POST
def checks(request: TeamRequest) -> HttpResponse:
    """Hold the answers on the page to the checks of the chosen case."""
    typed = read(request.POST)
    named = lookup.look_up(request, typed)
    checked = _checked(request, typed, named)
    if not is_htmx(request):
        return page(request, typed, named, checked=checked)
    return render(request, "playground/_checks.html", {"bench": typed, "checked": checked})


@needs("use_models")
@require_POST
def rate(request: TeamRequest) -> HttpResponse:
    """Say of one answer that it is good or bad; the log keeps it beside the call."""
    typed = read(request.POST)
    set_up = lookup.chosen(request, typed)
    says = request.POST.get("do", "")
    says = says if says in RATINGS and says != set_up.rating else ""
    actor = request.caller.actor
    ratings.rate(actor=actor, answer=ratings.answer_for(request.caller, set_up.request), says=says)
    set_up = replace(set_up, rating=says)
    if is_htmx(request):
        return render(request, "playground/_ratings.html", {"set_up": set_up})
    return page(request, typed.replacing(set_up), lookup.look_up(request, typed))


async def _refused(message: str) -> AsyncGenerator[bytes, None]:
    yield encode(Event("error", {"message": message}))


async def _encoded(identify: Identify, ask: Ask, session: str) -> AsyncGenerator[bytes, None]:
    # Signing in took a connection of this request's thread; it would stay taken for as long as the model talks.
    await sync_to_async(close_old_connections)()
    async with aclosing(events(identify, ask, session)) as told:
        async for event in told:
            yield PING if event is None else encode(event)


# Answers, without scripts ---------------------------------------------------------------------------------------------


def _run(request: TeamRequest, typed: Bench, named: Choice) -> Bench:
    """Return the page with the answers of all its set-ups, asked at once."""
    asks: dict[str, tuple[Identify, Ask]] = {}
    for set_up in typed.set_ups:
        try:
            asks[set_up.letter] = ask_of(request, typed, set_up, named)
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


def _checked(request: TeamRequest, typed: Bench, named: Choice) -> answer_checks.Checked | None:
    """Return what the checks of the chosen case say of the answers; None without a case or an answer."""
    case = lookup.case(request, typed, named.prompt)
    if case is None or not any(set_up.answer for set_up in typed.set_ups):
        return None
    close_old_connections()
    return sync.run(answer_checks.check(request, case, typed, named.team))


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
