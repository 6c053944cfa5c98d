"""Look up what the page names, for the person who opens it: team, prompt, set-up, test case."""

from dataclasses import replace
from typing import NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from console.core.errors import NotFound, Refusal
from console.core.formatting import as_text
from console.core.ids import parse_id
from console.evals.models import TestCase
from console.playground import choices
from console.playground.bench import DRAFT, LETTERS, Bench, SetUp
from console.teams.access import teams_for
from console.teams.callers import TeamRequest
from console.teams.models import Team
from prompts_app import access
from prompts_app.models import Prompt
from prompts_app.text.refs import parse_ref


def teams_of(request: HttpRequest) -> list[Team]:
    return list(teams_for(request.caller, "use_models"))  # type: ignore[attr-defined]


def team_among(teams: list[Team], *wanted: str) -> Team:
    if not teams:
        raise PermissionDenied("You may not call models for any team. An owner of a team can change your role.")
    by_slug = {team.slug: team for team in teams}
    return next((by_slug[slug] for slug in wanted if slug in by_slug), teams[0])


class Choice(NamedTuple):
    """What a page names: the team that pays, the prompt, and what to say when there is no such prompt."""

    team: Team
    prompt: Prompt | None
    refused: str = ""


def look_up(request: TeamRequest, typed: Bench) -> Choice:
    team = team_among(teams_of(request), typed.team, request.GET.get("team", ""))
    if not typed.slug:
        return Choice(team, None)
    try:
        return Choice(team, access.prompt_for(request.caller, typed.slug))
    except Refusal as refusal:
        return Choice(team, None, refusal.message)


def chosen(request: TeamRequest, typed: Bench) -> SetUp:
    set_up = typed.set_up(request.GET.get("set-up", ""))
    if set_up is None:
        raise NotFound("There is no such set-up on the page. Reload it and try again.")
    return set_up


def begun(request: TeamRequest) -> tuple[Bench, Choice]:
    """Return the page somebody opens: the prompt of the address, what is live beside what is newest."""
    named = request.GET.get("prompt", "")[:300]
    ref = parse_ref(named)
    prompt, refused = None, ""
    if named:
        try:
            prompt = access.prompt_for(request.caller, ref.slug if ref else named)
        except Refusal as refusal:
            refused = refusal.message
    teams = teams_of(request)
    team = team_among(teams, request.GET.get("team", ""), prompt.team.slug if prompt else "")
    typed = Bench(team=team.slug, slug=prompt.slug if prompt else "")
    wanted = DRAFT if request.GET.get("draft") == "1" else str(ref.number) if ref and ref.number else ""
    return fitted(request, typed, prompt, wanted), Choice(team, prompt, refused)


def fitted(request: TeamRequest, typed: Bench, prompt: Prompt | None, wanted: str = "") -> Bench:
    """Return the page for a prompt: its live version in A and its newest (or the one asked for) in B."""
    found = choices.models(request.caller, team_among(teams_of(request), typed.team))
    kept = [set_up.model for set_up in typed.set_ups] or [one.value for one in found[:2]]
    names = (kept + kept[-1:] + ["", ""])[:2]
    numbers = ["", ""]
    if prompt is not None:
        shown = choices.versions(prompt)
        newest = wanted or shown[0].value
        beside = shown[0].value if wanted == DRAFT else newest
        live = next((one.value for one in shown if "production" in one.labels), beside)
        numbers = [live, newest]
        if live != newest and not typed.set_ups:
            names = [names[0], names[0]]  # two versions on one model: only one thing differs
    rows = tuple(SetUp(LETTERS[at], version=numbers[at], model=names[at]) for at in range(2))
    return replace(typed, set_ups=rows)


def case(request: TeamRequest, typed: Bench, prompt: Prompt | None) -> TestCase | None:
    """Return the case that was chosen, None without one; cases are the owning team's alone."""
    if prompt is None or not typed.case:
        return None
    wanted = parse_id(typed.case)
    return next((one for one in choices.cases(request.caller, prompt) if one.pk == wanted), None)


def filled(typed: Bench, chosen_case: TestCase | None) -> Bench:
    """Return the page with the input of a case."""
    if chosen_case is None:
        return typed
    values = {name: as_text(value) for name, value in chosen_case.variables.items()}
    return replace(typed, values=values, message=chosen_case.message)
