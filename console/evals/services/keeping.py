"""Forget what models answered in tests as the log forgets it; verdicts and figures stay."""

from console.audit.services.retention import content_kept_since
from console.evals.models import TestResult

_AT_ONCE = 500


def forget_answers() -> int:
    """Empty the answers, and the reasons that may quote them, of runs past the retention of content."""
    old = TestResult.objects.filter(run__started_at__lt=content_kept_since(), is_forgotten=False)
    done = 0
    while rows := list(old.only("id", "checks")[:_AT_ONCE]):
        for row in rows:
            row.output, row.error, row.is_forgotten = "", "", True
            row.checks = [{**check, "reason": ""} for check in row.checks]
        TestResult.objects.bulk_update(rows, ["output", "error", "checks", "is_forgotten"])
        done += len(rows)
    return done
