"""Forget what was said in tests, datasets and replays as the log forgets it; verdicts and figures stay."""

from typing import Any

from console.audit.services.retention import content_kept_since
from console.evals.models import DatasetItem, ReplayResult, TestResult

_AT_ONCE = 500


def forget_answers() -> int:
    """Empty the answers, and the reasons that may quote them, of runs and replays past the retention of content."""
    since, done = content_kept_since(), 0
    old = TestResult.objects.filter(run__started_at__lt=since, is_forgotten=False)
    while rows := list(old.only("id", "checks")[:_AT_ONCE]):
        for row in rows:
            row.output, row.error, row.is_forgotten, row.checks = "", "", True, _bare(row.checks)
        TestResult.objects.bulk_update(rows, ["output", "error", "checks", "is_forgotten"])
        done += len(rows)
    replayed = ReplayResult.objects.filter(replay__started_at__lt=since, is_forgotten=False)
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
