"""The only way to get a prompt for somebody.

People and keys see the prompts of their teams and those shared with the organisation. Everything else looks like
nothing. Writing and publishing need the right `build` in the owning team, reviewing and waiving `approve`, and what
binds others (label rules, required partials) `manage_team`; where it binds other teams, an operator.
"""

import uuid
from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet

from console.core.sql import get_or_raise, only
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from prompts_app.errors import UnknownLabel, UnknownPrompt, UnknownReview, UnknownVersion
from prompts_app.models import Label, Prompt, PromptVersion, Review, Visibility
from prompts_app.text.refs import LABEL

RIGHTS = {
    "view": "view_team",
    "edit": "build",
    "publish": "build",
    "review": "approve",
    "waive": "approve",
    "rule": "manage_team",
}


def prompts_for(caller: Caller, right: str = "view_team") -> QuerySet[Prompt]:
    """Return the living prompts of the teams in which the caller has the right; for reading, the shared ones too."""
    prompts = Prompt.objects.filter(deleted_at=None, team__archived_at=None)
    if caller.is_operator:
        return prompts
    teams = [team_id for team_id, rights in caller.rights.items() if right in rights]
    mine = Q(team__in=teams)
    if right == "view_team" and caller.may("view_team"):
        mine |= Q(visibility=Visibility.ORGANISATION)
    return prompts.filter(mine)


def prompt_for(caller: Caller, slug: str, to: str = "view", *, param: str | None = None) -> Prompt:
    """Return the prompt, 404 for those who cannot see it, 403 for those who may not do `to` (see RIGHTS) with it.

    `param` names the input the slug came in.
    """
    if "\x00" in slug:
        raise UnknownPrompt(slug.replace("\x00", "?"), param=param)
    prompt = get_or_raise(
        prompts_for(caller).select_related("team", "head").filter(slug=slug), UnknownPrompt(slug, param=param)
    )
    if to != "view" and not may(caller, prompt, to):
        raise denied(prompt.team, caller, RIGHTS[to])
    return prompt


def may(caller: Caller, prompt: Prompt, to: str) -> bool:
    """Return whether the caller may do `to` (see RIGHTS) with a prompt they can see."""
    return to == "view" or caller.may(RIGHTS[to], prompt.team_id)


def version_for(prompt: Prompt, number: int, *, param: str | None = None) -> PromptVersion:
    found = only(PromptVersion.objects.filter(prompt=prompt, number=number)) if number < 2**31 else None
    if found is None:
        raise UnknownVersion(prompt.slug, number, param=param)
    found.prompt = prompt
    return found


def label_for(prompt: Prompt, name: str) -> Label:
    found = None
    if LABEL.fullmatch(name):
        found = only(Label.objects.select_related("version").filter(prompt=prompt, name=name))
    if found is None:
        has = Label.objects.filter(prompt=prompt).values_list("name", flat=True)
        raise UnknownLabel(prompt.slug, name.replace("\0", "?"), has=has)
    found.prompt = prompt
    return found


def reviews_for(caller: Caller) -> QuerySet[Review]:
    return Review.objects.filter(prompt__in=prompts_for(caller)).select_related("prompt__team", "version")


def review_for(prompt: Prompt, review_id: uuid.UUID) -> Review:
    """Return a review of this prompt; the caller can see the prompt already."""
    found = get_or_raise(
        Review.objects.select_related("version", "from_version").filter(prompt=prompt, pk=review_id),
        UnknownReview(prompt.slug),
    )
    found.prompt = prompt
    return found


def _bound(is_required: bool, covers: Iterable[Team]) -> frozenset[Team] | None:
    """Return the teams that must include a partial; None means every team."""
    teams = frozenset(covers)
    return teams or None if is_required else frozenset()


def check_may_require(
    caller: Caller, prompt: Prompt, *, is_required: bool | None, covers: Iterable[Team] | None
) -> None:
    """Refuse who would bind, or free, teams that are not theirs; None of both stays as it is."""
    known = prompt.covers.all()
    before = _bound(prompt.is_required, known)
    after = _bound(prompt.is_required if is_required is None else is_required, known if covers is None else covers)
    if caller.is_operator or before == after:
        return
    if before is not None and after is not None and all(caller.may("manage_team", team.pk) for team in before ^ after):
        return
    raise PermissionDenied("An owner makes a partial required of the teams they own. Only operators do for others.")


def teams_counted(caller: Caller) -> list[uuid.UUID] | None:
    """Return the teams whose calls are counted for somebody in the figures of a prompt they see; None means all."""
    if caller.is_operator:
        return None
    return [team_id for team_id, rights in caller.rights.items() if "view_usage" in rights]


def owning_teams(caller: Caller) -> QuerySet[Team]:
    """Return the teams in which the caller may make prompts."""
    return teams_for(caller, "build")
