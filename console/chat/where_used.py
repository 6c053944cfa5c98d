"""Which widgets speak with an agent."""

from django.urls import reverse

from agents_app.models import Agent
from agents_app.where_used import Use
from console.chat.models import Widget


def widgets_with(agent: Agent) -> list[Use]:
    """Return the widgets of an agent; each holds it, for its visitors would find nobody."""
    widgets = Widget.objects.filter(agent=agent, deleted_at=None).select_related("team")
    return [
        Use("widget", row.name, row.team_id, row.team.name, url=reverse("chat:widget", args=[row.pk]))
        for row in widgets
    ]
