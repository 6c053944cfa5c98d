"""Lists by opaque cursor: `{"data": [...], "next": "…" | null}`; `?cursor=…&limit=…`, 50 a page, 200 at most."""

import base64
import binascii
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import models
from django.db.models import Model, QuerySet
from rest_framework.request import Request

from console.core.errors import BadInput
from console.core.parsing import number

_Row = TypeVar("_Row")

DEFAULT, MOST = 50, 200


def limit_of(request: Request) -> int:
    limit = number(request.query_params.get("limit", str(DEFAULT)), 0)
    if not 1 <= limit <= MOST:
        raise BadInput(f"limit must be a whole number from 1 to {MOST}.", param="limit")
    return limit


def _decode(cursor: str) -> uuid.UUID:
    try:
        return uuid.UUID(bytes=base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise BadInput("cursor is not one this API gave out; leave it out to begin again.", param="cursor") from None


def _encode(key: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(key.bytes).decode().rstrip("=")


def page_of_found(
    request: Request, rows: Sequence[_Row], *, key: Callable[[_Row], uuid.UUID]
) -> tuple[list[_Row], str | None]:
    """Return one page of what was read already, newest first by a UUIDv7, and the cursor of the next."""
    limit, cursor = limit_of(request), request.query_params.get("cursor")
    rows = sorted(rows, key=key, reverse=True)
    if cursor:
        before = _decode(cursor)
        rows = [row for row in rows if key(row) < before]
    return rows[:limit], _encode(key(rows[limit - 1])) if len(rows) > limit else None


def page_of(request: Request, rows: QuerySet[Any], *, key: str = "pk") -> tuple[list[Any], str | None]:
    """Return one page of rows, newest first by their `key`, a UUIDv7 or a number, and the cursor of the next."""
    limit = limit_of(request)
    rows = rows.order_by(f"-{key}")
    cursor = request.query_params.get("cursor")
    if cursor:
        before = _decode(cursor)
        is_number = isinstance(rows.model._meta.pk, models.IntegerField)
        rows = rows.filter(**{f"{key}__lt": before.int if is_number else before})
    items: list[Model] = list(rows[: limit + 1])
    if len(items) <= limit:
        return items, None
    last = getattr(items[limit - 1], key)
    last = last if isinstance(last, uuid.UUID) else uuid.UUID(int=last)
    return items[:limit], _encode(last)
