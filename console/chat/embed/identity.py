"""The identity of a visitor's calls: the widget, for its team. Visitors have no rights of their own."""

import uuid

from console.core.errors import NotAllowed
from console.gateway.snapshot import Snapshot
from console.gateway.types import Asker
from console.teams.models import Environment


class WidgetRefused(NotAllowed):
    """A widget that is switched off, deleted, or whose team is archived."""

    def __init__(self, record: dict[str, object]) -> None:
        super().__init__("This widget is switched off.")
        self.record = record


class VisitorIdentity:
    """Resolves the widget a visitor uses; again with each newer snapshot, as it may be switched off."""

    __slots__ = ("_name", "_team_id", "_widget_id")

    def __init__(self, widget_id: uuid.UUID, name: str, team_id: uuid.UUID) -> None:
        self._widget_id, self._name, self._team_id = widget_id, name, team_id

    def __call__(self, snapshot: Snapshot) -> Asker:
        widget, team = snapshot.widgets.get(self._widget_id), snapshot.teams.get(self._team_id)
        if widget is None or team is None or widget.team_id != team.id or not team.is_open:
            raise WidgetRefused(
                {"actor_kind": "widget", "actor_id": self._widget_id, "actor": self._name}
                | ({"team_id": team.id, "team": team.name} if team else {})
            )
        return Asker(
            team=team,
            environment=Environment.PRODUCTION,
            actor_kind="widget",
            actor_id=widget.id,
            actor=widget.name,
            terms={},
        )
