"""What uses a prompt: other prompts, and the calls of the last 30 days with their keys."""

import datetime as dt
from collections.abc import Callable

from django.db.models import Max, Sum
from django.urls import reverse

from console.core.clock import now
from console.core.formatting import plural
from console.core.where_used import Use
from console.teams.models import ApiKey
from prompts_app.models import Label, Prompt, PromptKeyUse, PromptUse
from prompts_app.sql import TRIALS

CALLS_SPAN = dt.timedelta(days=30)


def including(slug: str) -> dict[str, str]:
    """Return the slugs of all prompts that include a partial, with the one through which they do; empty for directly.

    What counts are newest and labelled versions. One query a level, and there are five levels at most.
    """
    found: dict[str, str] = {}
    around = {slug: ""}
    while around:
        rows = Prompt.objects.filter(includes__overlap=list(around), deleted_at=None).values_list("slug", "includes")
        level = {}
        for other, includes in rows.exclude(slug__in=[slug, *found]):
            nearest = next(name for name in includes if name in around)
            level[other] = found[other] = around[nearest] or ("" if nearest == slug else nearest)
        around = {other: found[other] or other for other in level}
    return found


def including_prompts(prompt: Prompt) -> list[Use]:
    """Return the prompts whose texts change with this one. Those that include it themselves hold it."""
    through = including(prompt.slug)
    rows = Prompt.objects.filter(slug__in=through, deleted_at=None).select_related("team").order_by("slug")
    return [
        Use(
            "prompt",
            row.slug,
            row.team_id,
            row.team.name,
            holds=not through[row.slug],
            detail=f"{row.kind}, through {through[row.slug]}" if through[row.slug] else row.kind,
        )
        for row in rows
    ]


def calls(prompt: Prompt) -> list[Use]:
    """Return the calls of the last 30 days, by surface.

    They hold a prompt while it has a label: taking its labels off first shows who misses it, and is undone at once.
    """
    since = (now() - CALLS_SPAN).date()
    rows = (
        PromptUse.objects.filter(prompt=prompt, day__gte=since)
        .values("surface")
        .annotate(total=Sum("calls"), last=Max("day"))
        .order_by("-total")
    )
    holds = Label.objects.filter(prompt=prompt).exists()
    return [
        Use(
            "calls",
            row["surface"],
            None,
            "",
            holds=holds and row["surface"] not in TRIALS,
            detail=f"{plural(row['total'], 'call')} in 30 days, last on {row['last']:%-d %b}",
            calls=row["total"],
        )
        for row in rows
    ]


def keys(prompt: Prompt) -> list[Use]:
    """Return the keys that called it in the last 30 days. They do not hold it: their calls do."""
    since = (now() - CALLS_SPAN).date()
    rows = (
        PromptKeyUse.objects.filter(prompt=prompt, day__gte=since)
        .values("key_id", "team_id")
        .annotate(total=Sum("calls"), last=Max("day"), shown=Max("key"), of=Max("team"))
        .order_by("-total", "shown")
    )
    # What people call it: of one that is gone only its ending is left.
    ids = [row["key_id"] for row in rows]
    names = dict(ApiKey.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    found = []
    for row in rows:
        name = names.get(row["key_id"], "")
        detail = f"{plural(row['total'], 'call')} in 30 days, last on {row['last']:%-d %b}"
        found.append(
            Use(
                "key",
                name or row["shown"],
                row["team_id"],
                row["of"],
                holds=False,
                url=reverse("teams:key", args=[row["key_id"]]) if name else "",
                opens_to="manage_keys",
                detail=f"{row['shown']}: {detail}" if name else detail,
                calls=row["total"],
            )
        )
    return found


SOURCES: list[Callable[[Prompt], list[Use]]] = [including_prompts, calls, keys]


def uses_of(prompt: Prompt) -> list[Use]:
    """Return everything that uses a prompt now."""
    return [use for source in SOURCES for use in source(prompt)]
