"""Every limit, and what is left of it in its period."""

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.metrics_core import Metric

from console.core.clock import now
from console.teams.models import Team
from console.telemetry.metrics.families import add, gauge
from usage_app.models import Metric as Measure
from usage_app.queries import quotas
from usage_app.queries.totals import Teams

_NAMES = ("team", "quota", "key", "alias", "agent", "widget", "metric", "window", "mode", "purpose")


def families(teams: Teams) -> Iterator[Metric]:
    """Cost is in units of the currency, all else in what is counted."""
    limit = gauge("facet_quota_limit", "What the quota allows now, temporary increases included.", _NAMES)
    used = gauge("facet_quota_used", "What was used in the present period.", _NAMES)
    reserved = gauge("facet_quota_reserved", "What open calls may still use.", _NAMES)
    resets = gauge("facet_quota_resets_timestamp_seconds", "When the present period ends.", _NAMES)
    left_off = gauge("facet_quotas_left_off", "Quotas beyond METRICS_MOST_SERIES, which have no series.")
    whose = Team.objects.filter(archived_at=None).values_list("pk", flat=True) if teams is None else teams
    # Of a limit for each end user there is no one number, and whose they are is no label.
    states = [state for state in quotas.of_teams(whose, now=now()) if not state.quota.each_end_user]
    most = settings.METRICS_MOST_SERIES
    for state in states[:most]:
        quota = state.quota
        key = quota.key.name if quota.key else ""
        what = (quota.alias, quota.agent, quota.widget, quota.metric, quota.window, quota.mode, quota.purpose)
        values = (quota.team.slug, quota.public_id, key, *what)
        unit = 1_000_000 if quota.metric == Measure.COST else 1
        add(limit, values, state.limit / unit)
        add(used, values, state.used / unit)
        add(reserved, values, state.reserved / unit)
        if state.period_end is not None:
            add(resets, values, state.period_end.timestamp())
    add(left_off, (), max(0, len(states) - most))
    yield from (limit, used, reserved, resets, left_off)
