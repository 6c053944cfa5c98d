"""The rows of responses in the background: how long they are kept."""

import datetime as dt

from console.api.background import rows, sweep
from console.api.models import BackgroundResponse
from console.core.clock import now
from console.core.ids import uuid7
from tests.conftest import Cast


def test_past_its_window_it_still_waits_for_what_became_of_its_call(cast: Cast) -> None:
    told = {"expires_at": now() - dt.timedelta(hours=1), "not_before": now() + dt.timedelta(hours=1)}
    row = BackgroundResponse.objects.create(
        id=uuid7(), team=cast.team_a, lane="standard", model="m", state="queued", body="{}", size=2, **told
    )
    BackgroundResponse.objects.update(request_id=uuid7())
    assert rows.take("standard") is None, "a worker died with a call that is still open"
    BackgroundResponse.objects.update(request_id=None)
    assert rows.take("standard") == row, "it only waited for its turn, which does not come any more"


def test_it_is_kept_no_longer_than_what_the_log_keeps_of_calls(cast: Cast, settings) -> None:
    settings.AUDIT_KEEP_DAYS, settings.AUDIT_CONTENT_KEEP_DAYS = 30, 90  # content never outlives its record
    _, young = (
        BackgroundResponse.objects.create(
            id=uuid7(),
            team=cast.team_a,
            lane="standard",
            model="support-chat",
            state="failed",
            body="{}",
            size=2,
            expires_at=now(),
            ended_at=now() - dt.timedelta(days=days),
        )
        for days in (31, 29)
    )
    sweep.prune()
    assert list(BackgroundResponse.objects.values_list("pk", flat=True)) == [young.pk]
