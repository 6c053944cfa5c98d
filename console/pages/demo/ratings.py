"""Ratings by the demo's programs, with differences between versions."""

import datetime as dt
import random
from decimal import Decimal

from console.audit.models import AuditEvent, Status
from console.audit.services.ratings import Rater, Word, say
from console.core.clock import now
from console.core.ids import uuid7_at
from console.pages.demo.calls import SEED
from console.teams.models import ApiKey, Team

_EACH = 40  # of a version
_WHY = (
    "It quotes last year's price.",
    "It asks for what the customer said already.",
    "Right, but twice as long as it has to be.",
    "It answers another question.",
)


def make_ratings(team: Team, key: ApiKey) -> None:
    """Rate calls of the last thirty days, as a help page with a thumb below each answer would."""
    rng = random.Random(SEED)  # noqa: S311  invented figures, no secret
    since = uuid7_at(now() - dt.timedelta(days=29))
    calls = AuditEvent.objects.filter(pk__gte=since, team_id=team.pk, key_id=key.pk, status=Status.OK, action="")
    rater = Rater("key", key.pk, key.name)
    for prompt in sorted(set(calls.exclude(prompt="").order_by().values_list("prompt", flat=True))):
        good = rng.uniform(0.72, 0.94)
        for event in calls.filter(prompt=prompt).order_by("-id")[:_EACH]:
            is_good = rng.random() < good
            score = Decimal(rng.randint(70, 98) if is_good else rng.randint(8, 45)) / 100
            comment = "" if is_good or rng.random() < 0.6 else rng.choice(_WHY)
            say(rater=rater, event=event, word=Word(is_good, score, comment))
