"""The only way to get a record of the log for somebody, and whose records they may look through."""

import uuid
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import Http404

from console.audit.models import AuditEvent
from console.audit.sql import search
from console.core.ids import parse_request_id
from console.teams.access import scope_for, teams_for
from console.teams.callers import Caller
from console.teams.models import Team


@dataclass(frozen=True, slots=True)
class Sight:
    """What of the log somebody may look through: list, counts, tail and export all start here.

    None in place of teams means every row, also those that belong to no team.
    """

    scope: Team | None
    teams: tuple[Team, ...]
    team_ids: tuple[uuid.UUID, ...] | None
    content_team_ids: tuple[uuid.UUID, ...] | None

    def may_read_content_of_all(self) -> bool:
        return self.content_team_ids is None or (
            self.team_ids is not None and bool(self.team_ids) and set(self.team_ids) <= set(self.content_team_ids)
        )


def sight_for(caller: Caller, slug: str) -> Sight:
    """Return what the caller may look through, narrowed to the team of `?team=`; 404 or 403 when it is not theirs."""
    scope = scope_for(caller, slug, "view_audit")
    teams = (scope,) if scope else tuple(teams_for(caller, "view_audit"))
    if caller.is_operator:
        return Sight(scope, teams, (scope.pk,) if scope else None, None if caller.may("read_content") else ())
    readable = tuple(team.pk for team in teams if caller.may("read_content", team.pk))
    return Sight(scope, teams, tuple(team.pk for team in teams), readable)


def event_for(caller: Caller, request_id: str, to: str = "view_audit") -> AuditEvent:
    """Return the record, 404 for those who cannot see its team, 403 for members who lack the right there."""
    identifier = parse_request_id(request_id)
    event = search.get(identifier) if identifier else None
    if event is None or not (caller.is_operator or (event.team_id is not None and event.team_id in caller.rights)):
        raise Http404("There is no such record.")
    if not all(caller.may(right, event.team_id) for right in {"view_audit", to}):
        raise PermissionDenied(
            "Your role may not read content. An owner of the team can change it."
            if to == "read_content"
            else "Your role may not see the team's audit log. An owner of the team can change it."
        )
    return event
