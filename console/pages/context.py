"""Context of every page's frame. It is lazy: a partial without a frame queries nothing."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from console.pages.navigation import Item, groups_for, items_for, waiting_for
from console.teams.access import teams_for
from console.teams.callers import ANONYMOUS, Caller
from console.teams.models import Team


@dataclass
class Shell:
    """The frame of one page: who looks at it, where they can go, and which team they narrowed it to."""

    caller: Caller
    scope_slug: str

    @cached_property
    def groups(self) -> list[tuple[str, list[Item]]]:
        return groups_for(self.caller)

    @cached_property
    def waiting(self) -> dict[str, int]:
        return waiting_for(self.caller)

    @property
    def chords_json(self) -> str:
        """The letters after G and where they lead, for shortcuts.js."""
        return json.dumps({item.chord: item.url + self.scope_query for item in items_for(self.caller) if item.chord})

    @cached_property
    def teams(self) -> list[Team]:
        return [] if self.caller.is_anonymous else list(teams_for(self.caller))

    @property
    def scope(self) -> Team | None:
        """The team of `?team=`; None when there is none or it is not the caller's."""
        return next((team for team in self.teams if team.slug == self.scope_slug), None) if self.scope_slug else None

    @property
    def scope_query(self) -> str:
        """What links between pages carry so that the scope stays."""
        return f"?team={self.scope.slug}" if self.scope else ""

    @property
    def shows_demo(self) -> bool:
        return self.scope.is_demo if self.scope else any(team.is_demo for team in self.teams)


def shell(request: HttpRequest) -> dict[str, Any]:
    caller: Caller = getattr(request, "caller", ANONYMOUS)
    return {
        "installation_name": settings.INSTALLATION_NAME,
        "shell": Shell(caller, request.GET.get("team", "")),
        "request_id": getattr(request, "request_id", None),
    }
