"""Lists by opaque cursor: `{"data": [...], "next": "…" | null}`; `?cursor=…&limit=…`, 50 a page, 200 at most."""

import base64
import binascii
import uuid
from typing import Any

from django.db import models
from django.db.models import Model, QuerySet
from rest_framework.request import Request

from console.core.errors import BadInput

DEFAULT, MOST = 50, 200


def limit_of(request: Request) -> int:
    raw = request.query_params.get("limit", str(DEFAULT))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 6 or not 1 <= int(raw) <= MOST:
        raise BadInput(f"limit must be a whole number from 1 to {MOST}.", param="limit")
    return int(raw)


def _decode(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise BadInput("cursor is not one this API gave out; leave it away to begin again.", param="cursor") from None


def page_of(request: Request, rows: QuerySet[Any], *, key: str = "pk") -> tuple[list[Any], str | None]:
    """Return one page of rows, newest first by their `key`, a UUIDv7 or a number, and the cursor of the next."""
    limit = limit_of(request)
    rows = rows.order_by(f"-{key}")
    cursor = request.query_params.get("cursor")
    if cursor:
        before = _decode(cursor)
        is_number = isinstance(rows.model._meta.pk, models.IntegerField)
        rows = rows.filter(**{f"{key}__lt": before.int if is_number else before})
    found: list[Model] = list(rows[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = getattr(found[limit - 1], key)
    last = last if isinstance(last, uuid.UUID) else uuid.UUID(int=last)
    return found[:limit], base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")
