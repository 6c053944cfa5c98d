"""Usage on pages of rooms below: `{% load usage %}`. Read from the roll-ups, never from the log."""

from collections.abc import Sequence

from django import template

from console.teams.models import ApiKey
from console.teams.queries import KeyRow
from usage_app.queries.touchpoints import Week, weeks_of_keys

register = template.Library()


@register.simple_tag
def with_calls(rows: Sequence[KeyRow]) -> list[tuple[KeyRow, Week]]:
    """Return keys with the calls they made in the last seven days. One query, however many keys there are."""
    weeks = weeks_of_keys([row.key for row in rows])
    return [(row, weeks[row.key.pk]) for row in rows]


@register.simple_tag
def week_of(key: ApiKey) -> Week:
    return weeks_of_keys([key])[key.pk]
