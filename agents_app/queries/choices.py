"""The choices of a draft: prompts, their variables, aliases."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet

from agents_app.instructions import ref_of
from agents_app.models import Definition, Queue
from console.catalog.models import Alias, Capability, Pin
from console.core.errors import Refusal
from console.knowledge.access import visible_collections
from console.knowledge.models import Collection
from console.teams.models import Team
from prompts_app import shapes
from prompts_app.models import Kind, Prompt, Visibility
from prompts_app.queries.preview import PartialFinder
from prompts_app.shapes import Finder, InDatabase, VersionShape
from prompts_app.text.render import declared_by, partials_of

_MOST_PROMPTS = 500


def prompts_for(teams: Iterable[Team]) -> QuerySet[Prompt]:
    """Return the prompts agents of these teams may speak with."""
    mine = Q(team__in=teams) | Q(visibility=Visibility.ORGANISATION)
    return Prompt.objects.filter(mine, deleted_at=None).exclude(kind=Kind.PARTIAL).order_by("slug")


def prompt_names(*teams: Team) -> list[tuple[str, str]]:
    """Return names and descriptions to offer while somebody types."""
    return list(prompts_for(teams).values_list("slug", "description")[:_MOST_PROMPTS])


def queues_of(*teams: Team) -> QuerySet[Queue]:
    """Return the queues a tool of these teams may name."""
    return Queue.objects.filter(team__in=teams, archived_at=None).order_by("slug")


def aliases_of(*teams: Team) -> list[Alias]:
    """Return the aliases the teams may call and that chat in production."""
    pinned = Pin.objects.filter(environment="production", model_version__capabilities__contains=[Capability.CHAT])
    mine = Alias.objects.filter(Q(teams__in=teams) | Q(teams=None), pk__in=pinned.values("alias"))
    return list(mine.distinct().order_by("name"))


def collections_of(team: Team) -> list[Collection]:
    """Return the collections whose documents calls of the team may be answered from."""
    own_first = sorted(visible_collections(team), key=lambda one: one.team_id is None)
    found: dict[str, Collection] = {}
    for one in own_first:
        found.setdefault(one.slug, one)  # the team's own stands before the organisation's of the same name
    return sorted(found.values(), key=lambda one: (one.name, one.slug))


def variables_of(team: Team, definition: Definition) -> list[dict[str, Any]]:
    """Return what the chosen prompt and its partials declare; nothing while it cannot be read."""
    ref = ref_of(definition)
    if ref is None:
        return []
    prompt, number = Finder(InDatabase()).find(team.pk, ref, "production")
    if prompt is None or number is None:
        return []
    version: VersionShape | None = shapes.read([(prompt.id, number)]).get((prompt.id, number))
    if version is None:
        return []
    try:
        return [dict(one) for one in declared_by(version, partials_of(version, PartialFinder(prompt.team_id)))]
    except Refusal:
        return [dict(variable) for variable in version.variables]
