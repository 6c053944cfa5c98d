"""What must hold after every test that called a model, however it went."""

import time
from collections.abc import Sequence

from django.db import connection

from console.audit.models import AuditEvent, Status
from usage_app.models import QuotaCounter, Reservation
from usage_app.queries.exactness import differences


def wait_until_settled(seconds: float = 6) -> None:
    """Wait for the calls that clients left behind."""
    deadline = time.monotonic() + seconds
    while Reservation.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def check_invariants(calls: Sequence[AuditEvent], upstream_requests: int) -> None:
    """No open reservation, one end per start, counters equal the log, one line per request the provider got."""
    wait_until_settled()
    assert not Reservation.objects.exists(), "a call was left open"
    assert not QuotaCounter.objects.exclude(reserved=0).exists(), "something stayed reserved"
    assert list(differences()) == [], "counters and log differ"
    reached = [c for c in AuditEvent.objects.filter(pk__in=[c.pk for c in calls]) if c.status != Status.REFUSED]
    # Nobody knows how often a process that died had called; its line stands for one attempt.
    attempts = sum(c.attempts or (c.status == Status.INTERRUPTED) for c in reached)
    assert attempts >= upstream_requests, "the provider was called without a line in the log"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction' AND application_name LIKE 'facet gateway%'"
        )
        assert cursor.fetchone()[0] == 0, "a connection is idle in a transaction"
