"""What must hold after every test that called a model, however it went."""

from collections.abc import Callable, Sequence

from django.db import connection
from django.db.models.functions import Now

from console.audit.models import AuditEvent, Status
from tests.upstream import Upstream
from tests.waiting import until
from usage_app.models import QuotaCounter, Reservation
from usage_app.queries.recount import differences


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


def check_invariants(calls: Callable[[], Sequence[AuditEvent]], upstream: Upstream) -> None:
    """No open reservation, one end per start, counters equal the log, one line per request the provider got."""
    wait_until_settled()  # before the log is asked: a call has no line in it until it has ended
    assert not QuotaCounter.objects.exclude(reserved=0).exists(), "something stayed reserved"
    assert list(differences()) == [], "counters and log differ"
    reached = [call for call in calls() if call.status != Status.REFUSED]
    # Nobody knows how often a process that died had called; its line stands for one attempt.
    attempts = sum(call.attempts or (call.status == Status.INTERRUPTED) for call in reached)
    assert attempts >= len(upstream.seen), "the provider was called without a line in the log"
    # What the gateway does by itself may be between two statements of one; what was left in one stays there.
    until(_is_nobody_idle_in_a_transaction, "no connection is idle in a transaction")
