"""Fill the audit log with invented calls, for measuring."""

import argparse
import datetime as dt
import time
import uuid
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from console.audit.sql import generate as sql
from console.audit.sql import months
from console.core.clock import now, period_end, period_start

_BATCH = 200_000
_NAMESPACE = uuid.UUID("6f1c8d5e-0000-5000-8000-000000000000")


def _cast(teams: int, end_users: int, projects: int) -> sql.Cast:
    """Return the teams, keys and aliases there are, and invented ones where there are too few."""
    known = list(apps.get_model("teams", "Team").objects.order_by("created_at")[:teams])
    team_ids = [team.pk for team in known] + [uuid.uuid5(_NAMESPACE, f"team {n}") for n in range(len(known), teams)]
    names = [team.name for team in known] + [f"Made-up team {n + 1}" for n in range(len(known), teams)]
    key_ids, key_names = [], []
    for place, team_id in enumerate(team_ids):
        keys = list(apps.get_model("teams", "ApiKey").objects.filter(team_id=team_id).order_by("created_at")[:3])
        for n in range(3):
            key = keys[n] if n < len(keys) else None
            key_ids.append(key.pk if key else uuid.uuid5(_NAMESPACE, f"key {team_id} {n}"))
            key_names.append(key.shown if key else f"fk_{'test' if n == 2 else 'live'}_…{place % 100:02d}{n:02d}")
    aliases = [alias.name for alias in apps.get_model("catalog", "Alias").objects.order_by("created_at")[:10]]
    aliases += [f"made-up-{n}" for n in range(len(aliases) + 1, 6)] + ["made-up-rare"]
    models = [f"made-up/model-{n % 3 + 1}-2026-0{n % 3 + 3}-01" for n in range(len(aliases))]
    return sql.Cast(team_ids, names, key_ids, key_names, aliases, models, end_users, projects)


class Command(BaseCommand):
    help = "Insert made-up rows into the audit log. They cannot be removed again: use a database made for measuring."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rows", type=int, required=True)
        parser.add_argument("--days", type=int, default=30, help="the days before now they are spread over")
        parser.add_argument("--teams", type=int, default=12)
        parser.add_argument("--end-users", type=int, default=0, help="how many there are; none unless it is said")
        parser.add_argument("--projects", type=int, default=0, help="how many metadata names; none unless it is said")
        parser.add_argument("--content", type=float, default=0.02, help="the share of calls with input and output kept")
        parser.add_argument("--yes", action="store_true", help="do so in production mode")

    def handle(self, *args: Any, **options: Any) -> str:
        rows, days = options["rows"], options["days"]
        if settings.IS_PRODUCTION and not options["yes"]:
            raise CommandError(
                "This is production, and made-up rows stay in its log for good. Add --yes if you mean it."
            )
        if rows < 1 or days < 1 or options["teams"] < 1 or min(options["end_users"], options["projects"]) < 0:
            raise CommandError("--rows, --days and --teams start at 1, --end-users and --projects at 0.")
        began = time.monotonic()
        span = dt.timedelta(days=days)
        # The wave over the day shifts rows by up to 2.4 hours; nothing may lie in the future.
        start = now() - span - dt.timedelta(hours=3)
        month = period_start("month", start - dt.timedelta(hours=3))
        while month <= now():
            months.make_month(month)
            month = period_end("month", month)
        cast = _cast(options["teams"], options["end_users"], options["projects"])
        for first in range(1, rows + 1, _BATCH):
            last = min(first + _BATCH - 1, rows)
            with transaction.atomic():
                sql.insert_calls(
                    cast, first=first, last=last, total=rows, start=start, span=span, content=options["content"]
                )
            if options["verbosity"] > 0 and rows > _BATCH:
                self.stdout.write(f"{last} of {rows}")
        sql.analyze()
        return (
            f"Inserted {rows} made-up records over {days} days for {len(cast.teams)} teams"
            f" in {time.monotonic() - began:.1f} s. Seal them with sealaudit; sum them with the task usage.roll_up."
        )
