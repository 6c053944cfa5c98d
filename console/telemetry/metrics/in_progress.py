"""What is open or waiting now: calls, batches, runs, approvals, notices."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from prometheus_client.metrics_core import Metric

from agents_app.models import Approval, Run
from console.batches.models import Batch, State
from console.batches.models.batches import TERMINAL
from console.core.clock import now
from console.core.lanes import Lane
from console.notices.models import Delivery
from console.telemetry import sql
from console.telemetry.metrics.families import add, gauge
from usage_app.queries.totals import Teams

_LATELY = dt.timedelta(days=1)


def families(teams: Teams) -> Iterator[Metric]:
    late = gauge(
        "facet_leases_late", "Work whose process was not heard of in time; another one takes it over.", ("of",)
    )
    yield from _calls(teams, late)
    yield from _batches(teams, late)
    yield from _runs(teams, late)
    yield late
    approvals = gauge("facet_approvals_waiting", "Approvals that wait for a person.")
    add(approvals, (), _of(Approval.objects.filter(state=Approval.State.WAITING, expires_at__gt=now()), teams).count())
    yield approvals
    yield _deliveries(teams)


def _of(rows: QuerySet[Any], teams: Teams) -> QuerySet[Any]:
    return rows if teams is None else rows.filter(team_id__in=teams)


def _calls(teams: Teams, late: Any) -> Iterator[Metric]:
    family = gauge("facet_calls_in_flight", "Calls that are open.", ("lane",))
    found = {lane.value: 0 for lane in Lane}
    overdue = 0
    for lane, count, expired in sql.calls_in_flight(None if teams is None else list(teams)):
        found[lane] = found.get(lane, 0) + count
        overdue += expired
    for name, count in found.items():
        add(family, (name,), count)
    add(late, ("calls",), overdue)
    yield family


def _batches(teams: Teams, late: Any) -> Iterator[Metric]:
    family = gauge("facet_batches", "Batches that are not over, by state.", ("state",))
    lines = gauge("facet_batch_lines_left", "Lines of batches that still have to be answered.")
    is_late = Q(lease_until__lt=now())
    rows = _of(Batch.objects.exclude(state__in=TERMINAL), teams).order_by().values("state")
    rows = rows.annotate(
        n=Count("pk"), late=Count("pk", filter=is_late), left=Sum(F("total") - F("completed") - F("failed"))
    )
    found = {row["state"]: row for row in rows}
    for state in State:
        if state not in TERMINAL:
            add(family, (state.value,), found[state.value]["n"] if state.value in found else 0)
    add(lines, (), sum(row["left"] for row in found.values()))
    add(late, ("batches",), sum(row["late"] for row in found.values()))
    yield from (family, lines)


def _runs(teams: Teams, late: Any) -> Iterator[Metric]:
    family = gauge("facet_runs", "Runs of agents that are not over, by state.", ("state",))
    # Asked as the index is made, which knows the four by name.
    unfinished = [state for state in Run.State if state not in Run.OVER]
    is_late = Q(state=Run.State.RUNNING, lease_until__lt=now())
    rows = _of(Run.objects.filter(state__in=unfinished), teams).order_by().values("state")
    found = {row["state"]: row for row in rows.annotate(n=Count("pk"), late=Count("pk", filter=is_late))}
    for state in unfinished:
        add(family, (state.value,), found[state.value]["n"] if state.value in found else 0)
    add(late, ("runs",), sum(row["late"] for row in found.values()))
    yield family


def _deliveries(teams: Teams) -> Metric:
    """Return alerts on their way, and those given up lately; what was given up long ago is nothing to act on."""
    family = gauge(
        "facet_alert_deliveries", "Alerts on their way, and those given up in the last 24 hours.", ("state",)
    )
    rows = Delivery.objects.all() if teams is None else Delivery.objects.filter(channel__team_id__in=teams)
    found = rows.aggregate(
        waiting=Count("pk", filter=Q(state=Delivery.State.WAITING)),
        failed=Count("pk", filter=Q(state=Delivery.State.FAILED, ended_at__gt=now() - _LATELY)),
    )
    for state, count in found.items():
        add(family, (state,), count)
    return family
