"""The only way to get a quota for somebody. Strangers get 404, members without the right 403."""

import uuid
from collections.abc import Iterable

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from console.core.sql import get_or_raise
from console.notices import access as notices_access
from console.teams.access import denied, teams_for
from console.teams.callers import Caller
from console.teams.models import Team
from usage_app.models import AlertRule, Quota, QuotaIncrease

ALERTS = notices_access.RIGHT


def may_set(caller: Caller, team_id: uuid.UUID, *, team_wide: bool) -> bool:
    """What a whole team may use is for operators to say; inside that, its owners divide it."""
    return caller.is_operator or (not team_wide and caller.may("manage_quotas", team_id))


def may_manage(caller: Caller, quota: Quota) -> bool:
    return may_set(caller, quota.team_id, team_wide=quota.is_team_wide)


def teams_to_limit(caller: Caller, teams: Iterable[Team]) -> list[Team]:
    """Return those of the teams in which the caller may set some quota."""
    return [team for team in teams if may_set(caller, team.pk, team_wide=False)]


def check_may_set(caller: Caller, team: Team, *, team_wide: bool) -> None:
    if not may_set(caller, team.pk, team_wide=team_wide):
        if team_wide:
            raise PermissionDenied(
                "Only operators limit a whole team; its owners limit keys, aliases, agents, widgets and end users."
            )
        raise denied(team, caller, "manage_quotas")


def quota_for(caller: Caller, public_id: uuid.UUID, to: str = "view_usage") -> Quota:
    """Return the quota to look at, or, with `to="manage"`, to change."""
    quota = get_or_raise(
        Quota.objects.select_related("team", "key").filter(
            public_id=public_id, team__in=teams_for(caller, "view_usage")
        ),
        Http404("There is no such quota."),
    )
    if to == "manage":
        check_may_set(caller, quota.team, team_wide=quota.is_team_wide)
    return quota


def increase_for(caller: Caller, increase_id: uuid.UUID) -> QuotaIncrease:
    """Return the temporary increase to end."""
    increase = get_or_raise(
        QuotaIncrease.objects.select_related("quota__team", "quota__key").filter(
            pk=increase_id, quota__team__in=teams_for(caller, "view_usage")
        ),
        Http404("There is no such increase."),
    )
    check_may_set(caller, increase.quota.team, team_wide=increase.quota.is_team_wide)
    return increase


def rules_for(caller: Caller, right: str = ALERTS) -> QuerySet[AlertRule]:
    """Return the alert rules of the teams in which the caller has the right; to operators also the installation's."""
    rows = AlertRule.objects.select_related("team")
    mine = Q(team__in=teams_for(caller, right))
    return rows.filter(mine | Q(team=None)) if caller.is_operator else rows.filter(mine)


def rule_for(caller: Caller, rule_id: uuid.UUID) -> AlertRule:
    """Return the alert rule: 404 for strangers, 403 for members who do not manage the team."""
    rule = get_or_raise(rules_for(caller, "view_team").filter(pk=rule_id), Http404("There is no such alert rule."))
    if rule.team_id is not None and not caller.may(ALERTS, rule.team_id):
        raise denied(rule.team, caller, ALERTS)
    return rule
