"""Required partials: which prompts include them, which do not, and which have a waiver."""

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from prompts_app import where_used
from prompts_app.models import Kind, Prompt, Waiver

_MOST = 200


@dataclass(frozen=True, slots=True)
class Reach:
    """What a change of a partial touches: prompts that include it, and those it covers that do not."""

    including: list[Prompt]
    missing: list[Prompt]
    waivers: list[Waiver]
    hidden: int  # of teams the reader does not see


def reach(partial: Prompt, visible: QuerySet[Prompt]) -> Reach:
    """Return the prompts a partial reaches, through other partials too. Ten queries at most."""
    reached = list(where_used.including(partial.slug))
    including = Prompt.objects.filter(slug__in=reached, deleted_at=None)
    seen = visible.filter(pk__in=including.values("pk")).select_related("team").order_by("slug")
    found = list(seen[:_MOST])
    missing: list[Prompt] = []
    waivers: list[Waiver] = []
    if partial.is_required:
        covered = _covered(partial, visible)
        waivers = list(Waiver.objects.filter(partial=partial, prompt__in=visible).select_related("prompt__team"))
        without = covered.exclude(slug__in=reached).exclude(pk__in=[waiver.prompt_id for waiver in waivers])
        missing = list(without.select_related("team").order_by("slug")[:_MOST])
    return Reach(found, missing, waivers, max(0, including.count() - seen.count()))


def _covered(partial: Prompt, prompts: QuerySet[Prompt]) -> QuerySet[Prompt]:
    teams = list(partial.covers.values_list("pk", flat=True))
    covered = prompts.exclude(kind=Kind.PARTIAL)
    return covered.filter(team__in=teams) if teams else covered


def required_of(team_id: uuid.UUID) -> list[Prompt]:
    """Return the partials that prompts of a team must include."""
    rows = Prompt.objects.filter(Q(covers=None) | Q(covers=team_id), is_required=True, deleted_at=None)
    return list(rows.distinct().order_by("slug"))


@dataclass(frozen=True, slots=True)
class RequiredState:
    """One partial this prompt must include: whether it does, or has leave not to."""

    partial: Prompt
    is_included: bool
    waiver: Waiver | None


def state(prompt: Prompt) -> list[RequiredState]:
    """Return what a prompt must include and how it stands. Eight queries at most."""
    if prompt.kind == Kind.PARTIAL:
        return []
    partials = required_of(prompt.team_id)
    if not partials:
        return []
    waivers = {waiver.partial_id: waiver for waiver in Waiver.objects.filter(prompt=prompt)}
    included = _included(prompt)
    return [RequiredState(partial, partial.slug in included, waivers.get(partial.pk)) for partial in partials]


def _included(prompt: Prompt) -> set[str]:
    """Return the slugs of all partials a prompt includes, through others too. One query a level."""
    found: set[str] = set()
    level = set(prompt.includes)
    while level:
        found |= level
        rows = Prompt.objects.filter(slug__in=level, deleted_at=None).values_list("includes", flat=True)
        level = {slug for includes in rows for slug in includes} - found
    return found
