"""Close calls whose process died. Web processes sweep as well; the task is for when none of them runs."""

from django.db import connection  # noqa: TID251

MOST_AT_ONCE = 500


def sweep(*, everything: bool = False) -> int:
    """End every expired reservation as `interrupted` and return how many there were.

    With `everything` those whose leases still run as well: for when it is known that nobody is left who has a call.
    """
    ended = 0
    with connection.cursor() as cursor:
        if everything:
            cursor.execute("UPDATE usage_reservation SET expires_at = clock_timestamp() - interval '1 second'")
        while True:
            cursor.execute("SELECT gateway_sweep(%s)", [MOST_AT_ONCE])
            swept = int(cursor.fetchone()[0])
            ended += swept
            if swept < MOST_AT_ONCE:
                return ended
