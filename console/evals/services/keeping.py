"""Forget what models answered in tests as the log forgets it; verdicts and figures stay."""

import datetime as dt

from django.conf import settings

from console.core.clock import now
from console.evals.models import TestResult

_AT_ONCE = 500


def forgotten_before() -> dt.datetime:
    """Return the time from before which no answer is kept."""
    return now() - dt.timedelta(days=min(settings.AUDIT_CONTENT_KEEP_DAYS, settings.AUDIT_KEEP_DAYS))


def forget_answers() -> int:
    """Empty the answers, and the reasons that may quote them, of runs past the retention of content."""
    old = TestResult.objects.filter(run__started_at__lt=forgotten_before(), is_forgotten=False)
    done = 0
    while rows := list(old.only("id", "checks")[:_AT_ONCE]):
        for row in rows:
            row.output, row.error, row.is_forgotten = "", "", True
            row.checks = [{**check, "reason": ""} for check in row.checks]
        TestResult.objects.bulk_update(rows, ["output", "error", "checks", "is_forgotten"])
        done += len(rows)
    return done
