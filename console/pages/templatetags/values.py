"""Template filters that format values. They are builtins, like the components in ui.py.

The words themselves are in console/core/formatting.py; here they get the markup of a page.
"""

import datetime as dt
import json
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from console.core import formatting, hidden_characters
from console.core.clock import now
from console.core.ids import request_id

register = template.Library()

# What json.dumps leaves alone and HTML would not.
_JSON_ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}


@register.filter
def money(micros: int | None, places: int | None = None) -> str:
    """Write micro-units of the installation's currency: $3,284.17, below a cent $0.0071. Nothing for None.

    In a column all have as many places: `{% with places=rows|money_places:"run.cost_micros" %}`, then `money:places`.
    """
    return "" if micros is None else formatting.money(micros, settings.CURRENCY, places)


@register.filter
def money_places(rows: Iterable[Any], amount: str) -> int:
    """Return the places for a column of amounts, `amount` being the way from a row to its own."""
    way = template.Variable(f"row.{amount}")
    return formatting.money_places(way.resolve(template.Context({"row": row})) for row in rows)


@register.filter
def number(value: float | Decimal | None) -> str:
    return "" if value is None else formatting.number(value)


@register.filter
def tokens(value: int | None) -> str:
    return "" if value is None else formatting.tokens(value)


@register.filter
def span(seconds: int | None) -> str:
    """Write a limit of time exactly: 15 min, 1 h 30 min, 7 d."""
    return "" if seconds is None else formatting.exact_duration(seconds)


@register.filter
def ms(microseconds: float | None) -> str:
    """Write a duration given in microseconds: 412 ms, 1.84 s, 4 min 08 s."""
    return "" if microseconds is None else formatting.duration(microseconds)


@register.filter
def percent(value: float | Decimal | None, places: int | None = None) -> str:
    """Write a value out of a hundred: 70 %, 91.3 %, 0.42 %. In a column all have as many places: `percent:2`."""
    return "" if value is None else formatting.percent(float(value), places)


@register.filter
def without_provider(model: str) -> str:
    """Write an exact model by its own name: meridian-large-2026-07-30. The whole one belongs into the title."""
    return model.partition("/")[2] or model


@register.filter
def when(moment: dt.datetime | None) -> SafeString | str:
    """Write a time as people say it, with the exact value in the title."""
    if moment is None:
        return "Never"
    return _time(moment, formatting.relative_time(moment, now()))


@register.filter
def exact(moment: dt.datetime | None) -> SafeString | str:
    """Write the time of day to the millisecond, as the log shows it: 14:31:52.418."""
    if moment is None:
        return "Never"
    moment = moment.astimezone(dt.UTC)
    return _time(moment, f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}")


@register.filter
def day(moment: dt.datetime | dt.date | None) -> SafeString | str:
    """Write a date: 9 Nov, and with the year when it is another one."""
    if moment is None:
        return "Never"
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime.combine(moment, dt.time(), dt.UTC)
    return _time(moment, formatting.day(moment, now()))


@register.filter
def reqid(identifier: uuid.UUID | str | None) -> str:
    """Write a request's id as the log and the API show it: req_ and 32 digits."""
    if identifier is None or identifier == "":
        return ""
    return request_id(identifier if isinstance(identifier, uuid.UUID) else uuid.UUID(str(identifier)))


@register.filter
def with_article(noun: str) -> str:
    return formatting.with_article(noun)


@register.filter
def visible(text: object) -> SafeString | str:
    """Write somebody's words with the characters that hide or turn others shown by their number.

    For text between tags; in an attribute use `spelled`.
    """
    message = "" if text is None else str(text)
    if not hidden_characters.HIDDEN.search(message):
        return message
    pieces, place = [], 0
    for found in hidden_characters.HIDDEN.finditer(message):
        pieces.append(escape(message[place : found.start()]))
        title, number = hidden_characters.name_of(found[0]), hidden_characters.number_of(found[0])
        pieces.append(format_html('<span class="ghost" title="{}">{}</span>', title, number))
        place = found.end()
    pieces.append(escape(message[place:]))
    return mark_safe("".join(pieces))  # noqa: S308 - every piece is escaped above


@register.filter
def spelled(text: object) -> str:
    """Write somebody's words for an attribute: hidden characters as [U+202E]."""
    return hidden_characters.spelled(str(text))


@register.filter
def browser(user_agent: str) -> str:
    """Name the browser and the system of a User-Agent, as far as people would."""
    return formatting.browser(user_agent)


def as_json(value: Any) -> SafeString:
    """Write a value as JSON that is safe inside a script tag of type application/json."""
    text = json.dumps(value, separators=(",", ":"), default=_plain).translate(_JSON_ESCAPES)
    return mark_safe(text)  # noqa: S308 - the three characters HTML could read are escaped above


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _time(moment: dt.datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.astimezone(dt.UTC).isoformat(),
        formatting.full_time(moment),
        text,
    )
