"""Export the inventory as CSV or JSON, line by line as the page shows it."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from console.touchpoints.rows import Touchpoint
from usage_app import amounts
from usage_app.models import Metric
from usage_app.queries.audit.export import neutral

COLUMNS = (
    "source", "id", "name", "team", "where", "kinds", "owner", "purpose", "expected", "environment", "aliases",
    "models", "calls", "errors", "cost", "spend_estimate", "p50_us", "p95_us", "first_token_p95_us", "last_used_at",
    "state", "overlaps", "replaced_by",
)  # fmt: skip


def as_dict(row: Touchpoint) -> dict[str, Any]:
    """Return a line as programs read it. Calls, cost and latency are of the last 30 days; None is not known."""
    legacy, is_live = row.legacy, row.legacy is None
    estimate = legacy.spend_micros if legacy else None
    return {
        "source": row.source,
        "id": str(row.id),
        "name": row.name,
        "team": row.team.slug,
        "where": row.place,
        "kinds": [kind.value for kind in row.kinds],
        "owner": row.owner,
        "purpose": row.purpose,
        "expected": row.expected or None,
        "environment": row.environment or None,
        "aliases": row.aliases,
        "models": row.models,
        "calls": row.requests if is_live else None,
        "errors": row.errors if is_live else None,
        "cost": amounts.for_input(Metric.COST, row.cost_micros) if is_live else None,
        "spend_estimate": None if estimate is None else amounts.for_input(Metric.COST, estimate),
        "p50_us": row.observed.p50,
        "p95_us": row.observed.p95,
        "first_token_p95_us": row.observed.first_token,
        "last_used_at": row.last_used_at,
        "state": row.state,
        "overlaps": [{"source": link.source, "id": str(link.id), "name": link.name} for link in row.overlaps],
        "replaced_by": None
        if row.replaced_by is None
        else {"source": row.replaced_by.source, "id": str(row.replaced_by.id), "name": row.replaced_by.name},
    }


def as_csv(rows: Iterable[Touchpoint]) -> str:
    """Return the same as CSV: several in one cell are parted by a semicolon."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([neutral(_cell(value)) for value in as_dict(row).values()] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return value["name"]
    if isinstance(value, list):
        return "; ".join(str(_cell(one)) for one in value)
    return value.isoformat() if hasattr(value, "isoformat") else value
