"""What must hold after every test that called a model, however it went."""

from collections.abc import Sequence

from django.db import connection
from django.db.models.functions import Now

from console.audit.models import AuditEvent, Status
from tests.waiting import until
from usage_app.models import QuotaCounter, Reservation
from usage_app.queries.exactness import differences


def wait_until_settled() -> None:
    """Wait for the calls that clients left behind."""
    open_calls = Reservation.objects.all()
    until(lambda: not open_calls.exists(), lambda: f"every call has its end, and not {list(open_calls.values())}")


def let_leases_run_out() -> None:
    """Let the time pass that processes have their calls for; those which live renew them."""
    Reservation.objects.update(expires_at=Now())


def _is_nobody_idle_in_a_transaction() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'idle in transaction' AND application_name LIKE 'facet gateway%'"
        )
        return bool(cursor.fetchone()[0] == 0)


def check_invariants(calls: Sequence[AuditEvent], upstream_requests: int) -> None:
    """No open reservation, one end per start, counters equal the log, one line per request the provider got."""
    wait_until_settled()
    assert not QuotaCounter.objects.exclude(reserved=0).exists(), "something stayed reserved"
    assert list(differences()) == [], "counters and log differ"
    reached = [c for c in AuditEvent.objects.filter(pk__in=[c.pk for c in calls]) if c.status != Status.REFUSED]
    # Nobody knows how often a process that died had called; its line stands for one attempt.
    attempts = sum(c.attempts or (c.status == Status.INTERRUPTED) for c in reached)
    assert attempts >= upstream_requests, "the provider was called without a line in the log"
    # What the gateway does by itself may be between two statements of one; what was left in one stays there.
    until(_is_nobody_idle_in_a_transaction, "no connection is idle in a transaction")
