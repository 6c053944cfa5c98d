"""The only way to get an audit record for somebody, and whose records they may search."""

import uuid
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.http import Http404

from console.audit.models import AuditEvent
from console.audit.services.ratings import is_answer
from console.audit.sql import search
from console.core.errors import BadInput, NotFound
from console.core.ids import parse_request_id, parse_response_id
from console.core.sql import only
from console.teams.access import denied, scope_for, teams_for
from console.teams.callers import Caller
from console.teams.models import ApiKey, Team


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


def teams_with_costs(caller: Caller, sight: Sight) -> list[uuid.UUID]:
    """Return those teams of a sight whose costs the caller may see as well."""
    return [team.pk for team in sight.teams if caller.is_operator or caller.may("view_usage", team.pk)]


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


def answer_for(caller: Caller, reference: str) -> AuditEvent:
    """Return the call whose answer somebody may rate, by the id of its request or of its response.

    Keys rate their own calls and those of their team in their environment, people their own and those of a log they may
    see. What belongs to others looks like nothing; BadInput says of a record that there is no answer to rate.
    """
    identifier = parse_request_id(reference) or parse_response_id(reference)
    event = search.get(identifier) if identifier else None
    if event is None or event.action or not _is_near(caller, event):
        raise NotFound("There is no such call. An answer can be rated once it has ended.")
    if not may_rate(caller, event):
        team = only(Team.objects.filter(pk=event.team_id)) if event.team_id else None
        raise denied(team, caller, *(("use_models",) if caller.key_id else ("use_models", "view_audit")))
    if not is_answer(event):
        raise BadInput("This call has no answer in words that could be rated.", param="request_id", code="no_answer")
    return event


def _is_near(caller: Caller, event: AuditEvent) -> bool:
    if event.team_id is None or not (caller.is_operator or event.team_id in caller.rights):
        return False
    own = caller.key_id
    if own is None or caller.is_operator or event.key_id in caller.own_keys:
        return True
    key = only(ApiKey.objects.filter(pk=own))
    return key is not None and key.environment == event.environment


def may_rate(caller: Caller, event: AuditEvent) -> bool:
    """Return whether somebody who can see a call may rate its answer."""
    is_own = event.actor_kind == "user" and caller.user is not None and event.actor_id == caller.user.pk
    sees = caller.key_id is not None or is_own or caller.may("view_audit", event.team_id)
    return sees and caller.may("use_models", event.team_id)
