"""The widgets in the gateway's snapshot."""

from console.chat.models import Widget
from console.gateway.widgets import Widgets, WidgetShape


def widget_shapes() -> Widgets:
    """Return the widgets that may ask."""
    rows = Widget.objects.filter(is_enabled=True, deleted_at=None).values_list("pk", "name", "team_id")
    return {pk: WidgetShape(pk, name, team_id) for pk, name, team_id in rows}
