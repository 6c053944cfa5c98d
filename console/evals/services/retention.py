"""Delete content of tests, datasets and replays when the log's is deleted, and runs when its records are."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from console.audit import actions
from console.audit.services import record
from console.audit.services.retention import content_kept_since
from console.core.clock import now
from console.core.ids import uuid7_at
from console.evals.models import (
    GOING_ON,
    Baseline,
    DatasetItem,
    Incident,
    Outcome,
    ReplayResult,
    Round,
    TestResult,
    TestRun,
)
from console.teams.actors import SYSTEM

_AT_ONCE = 500


def forget_answers() -> int:
    """Empty the answers, and the reasons that may quote them, of runs and replays past the retention of content.

    What has no outcome yet says nothing, and will be forgotten when it does. Of a replay that was asked again long
    after it began, an answer is as old as its call.
    """
    since, done = content_kept_since(), 0
    is_over = ~Q(status=Outcome.Status.WAITING)
    old = TestResult.objects.filter(is_over, run__started_at__lt=since, is_forgotten=False)
    while rows := list(old.only("id", "checks")[:_AT_ONCE]):
        for row in rows:
            row.output, row.error, row.is_forgotten, row.checks = "", "", True, _bare(row.checks)
        TestResult.objects.bulk_update(rows, ["output", "error", "checks", "is_forgotten"])
        done += len(rows)
    is_as_old = Q(request_id=None) | Q(request_id__lt=uuid7_at(since))
    replayed = ReplayResult.objects.filter(is_over, is_as_old, replay__started_at__lt=since, is_forgotten=False)
    while found := list(replayed.order_by("pk").only("id", "checks", "recorded_checks")[:_AT_ONCE]):
        for one in found:
            one.output, one.error, one.trouble, one.is_forgotten, one.tool_calls = "", "", "", True, []
            one.checks, one.recorded_checks = _bare(one.checks), _bare(one.recorded_checks)
        fields = ["output", "error", "trouble", "tool_calls", "checks", "recorded_checks", "is_forgotten"]
        ReplayResult.objects.bulk_update(found, fields)
        done += len(found)
    return done


def _bare(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**check, "reason": ""} for check in checks]


def forget_items() -> int:
    """Empty the items copied from records whose own content is past its retention, and what judges said of them."""
    old = DatasetItem.objects.filter(recorded_at__lt=content_kept_since(), is_forgotten=False)
    judged = ReplayResult.objects.filter(item__in=old).exclude(recorded_checks=[]).order_by("pk")
    for row in judged.only("id", "recorded_checks").iterator(_AT_ONCE):
        ReplayResult.objects.filter(pk=row.pk).update(recorded_checks=_bare(row.recorded_checks))
    return old.update(body={}, prompt={}, expected="", tool_calls=[], is_forgotten=True)


def forget_runs() -> dict[str, int]:
    """Remove the results of runs past AUDIT_KEEP_DAYS, and the runs themselves unless a schedule's history names them.

    What drift is told by stands in rounds, baselines and incidents and stays. The newest finished run of a version
    stays whole: it is what a label that asks for green tests goes by.
    """
    long_ago = now() - dt.timedelta(days=settings.AUDIT_KEEP_DAYS)
    newer = TestRun.objects.filter(
        Q(started_at__gt=OuterRef("started_at")) | Q(started_at=OuterRef("started_at"), pk__gt=OuterRef("pk")),
        version=OuterRef("version"),
        status=TestRun.Status.DONE,
    )
    old = TestRun.objects.filter(started_at__lt=long_ago).exclude(status__in=GOING_ON)
    gone = old.filter(Q(Exists(newer)) | Q(status=TestRun.Status.STOPPED))
    unnamed = gone.exclude(
        Exists(Round.objects.filter(run=OuterRef("pk")))
        | Exists(Baseline.objects.filter(run=OuterRef("pk")))
        | Exists(Incident.objects.filter(run=OuterRef("pk")))
    )
    done = {"results": _remove(TestResult.objects.filter(run__in=gone)), "runs": _remove(unnamed)}
    if any(done.values()):
        record(actions.RETENTION_APPLIED, actor=SYSTEM, target_name="runs of tests", detail=done)
    return done


def _remove(rows: QuerySet[Any]) -> int:
    """Remove rows a few at a time, so that no lock is held for long, and return how many there were."""
    done = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE]):
        rows.model._default_manager.filter(pk__in=ids).delete()
        done += len(ids)
    return done
