"""Which widgets use an agent, and which ones quotas can limit."""

from collections.abc import Iterator, Sequence

from django.urls import reverse

from agents_app.models import Agent
from console.chat.models import Widget
from console.core.where_used import Use
from console.teams.models import Team
from usage_app.scopes import Subject


def widgets_with(agent: Agent) -> list[Use]:
    """Return the widgets of an agent; each holds it, for its visitors would find nobody."""
    widgets = Widget.objects.filter(agent=agent, deleted_at=None).select_related("team")
    return [
        Use("widget", row.name, row.team_id, row.team.name, url=reverse("chat:widget", args=[row.pk]))
        for row in widgets
    ]


def limited_in(teams: Sequence[Team]) -> Iterator[Subject]:
    for row in Widget.objects.filter(team__in=teams, deleted_at=None):
        yield Subject("widget", str(row.pk), row.name, row.team_id)
