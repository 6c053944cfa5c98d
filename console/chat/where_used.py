"""Which widgets speak with an agent."""

from agents_app.models import Agent
from agents_app.where_used import Use
from console.chat.models import Widget


def widgets_with(agent: Agent) -> list[Use]:
    """Return the widgets of an agent; each holds it, for its visitors would find nobody."""
    widgets = Widget.objects.filter(agent=agent, deleted_at=None).select_related("team")
    return [Use("widget", widget.name, widget.team_id, widget.team.name) for widget in widgets]
