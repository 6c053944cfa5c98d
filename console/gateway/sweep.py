"""End the calls whose process died. Web processes sweep from their start on; the task is for when none of them runs."""

from django.db import connection  # noqa: TID251

MOST_AT_ONCE = 500


def sweep() -> int:
    """End every expired reservation as `interrupted` and return how many there were."""
    ended = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT gateway_sweep(%s)", [MOST_AT_ONCE])
            swept = int(cursor.fetchone()[0])
            ended += swept
            if swept < MOST_AT_ONCE:
                return ended
