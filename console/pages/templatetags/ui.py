"""The components templates draw with: one tag for each small one. Builtins everywhere; values.py has the filters.

Components carry the look and the ARIA; pages carry words and order. Anything heavier is a partial in templates/ui/.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django import template
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms import BoundField, CheckboxInput
from django.http import QueryDict
from django.template.context import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from console.core import formatting
from console.pages.navigation import ITEMS, Item, grouped
from console.pages.templatetags.values import as_json, visible

register = template.Library()


@register.simple_tag
@cache
def icon(name: str, extra: str = "") -> SafeString:
    """Draw a symbol of static/vendor/icons.svg. Decoration only: name the control it sits in."""
    return format_html(
        '<svg class="icon{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" {extra}" if extra else "",
        static("vendor/icons.svg"),
        name,
    )


@register.simple_tag
def unsent_mail() -> SafeString:
    """Say where mail is that nobody sends: beside whatever tells people that one is on its way."""
    if settings.EMAIL_HOST:
        return SafeString("")
    return format_html(
        '<div class="note">{}<p class="grow">No mail server is set up here. Mail is written to files that an operator '
        "can read, in the folder <code>mail</code> of the data folder (<code>DATA_DIR</code>).</p></div>",
        icon("info"),
    )


@register.simple_tag
def pin(name: str, version: object = "", lead_icon: str = "") -> SafeString:
    """Show one exact model version: its name and, after a hairline, what pins it down."""
    lead = format_html('<span class="lead">{}</span>', icon(lead_icon)) if lead_icon else ""
    tail = format_html('<span class="v">{}</span>', version) if version else ""
    return format_html('<span class="pin">{}<span>{}</span>{}</span>', lead, name, tail)


@register.simple_tag
def env(environment: str, label: str = "") -> SafeString:
    """Say where something is live. Dashed always means "not live"."""
    return format_html('<span class="env" data-env="{}">{}</span>', environment, label or str(environment).capitalize())


@register.simple_tag
def badge(text: object, tone: str = "", icon_name: str = "") -> SafeString:
    """Show a state in words. Tones: ok, warn, bad, brand, line; none is neutral."""
    return format_html(
        '<span class="badge"{}>{}{}</span>',
        format_html(' data-tone="{}"', tone) if tone else "",
        icon(icon_name) if icon_name else "",
        text,
    )


@register.simple_tag(takes_context=True)
def nav_sections(context: Context) -> SafeString:
    """Draw the navigation's groups and their pages, the one that is shown marked. Nearly every page draws the same."""
    shell = context["shell"]
    draw = _nav_sections.__wrapped__ if settings.DEBUG else _nav_sections  # templates may change there
    names = tuple(item.name for _, items in shell.groups for item in items)
    return draw(names, context.get("active", ""), shell.scope_query, tuple(shell.waiting.items()))


@lru_cache(maxsize=1000)
def _nav_sections(
    names: tuple[str, ...], active: str, scope_query: str, waiting: tuple[tuple[str, int], ...]
) -> SafeString:
    groups = grouped(item for item in ITEMS if item.name in names)
    shown = {"groups": groups, "active": active, "scope_query": scope_query, "waiting": dict(waiting)}
    return SafeString(render_to_string("ui/nav_sections.html", shown))


@register.simple_tag
def nav_count(item: Item, waiting: dict[str, int]) -> SafeString:
    """Show how much waits for the reader on a page of the navigation; nothing when nothing does."""
    count = waiting.get(item.name)
    return (
        format_html('<span class="nav-count">{}<span class="vh"> waiting</span></span>', count)
        if count
        else SafeString()
    )


@register.simple_tag
def page_of(active: str) -> Item | None:
    """Return the page of the navigation that what is shown belongs to."""
    return next((item for item in ITEMS if item.name == active), None)


@register.simple_tag
def team_tag(team: Any) -> SafeString:
    """Show a team by its colour slot and name. Anything with `.name` and `.colour` will do."""
    return format_html(
        '<span class="team"><span class="dot" data-team="{}"></span><span>{}</span></span>',
        getattr(team, "colour", ""),
        visible(team.name),
    )


@register.simple_tag(takes_context=True)
def team_of(context: Context, use: Any) -> SafeString:
    """Show whose a thing is that knows its team by `.team_id` and `.team`, a name. The frame knows the colours."""
    found = next((team for team in context["shell"].teams if team.pk == use.team_id), None)
    return team_tag(found) if found else format_html("{}", visible(use.team))


@register.simple_tag
def avatar(initials: str, hue: object = "1", extra: str = "") -> SafeString:
    """Draw a person's initials. Hues 1 to 4, or m for a model."""
    return format_html(
        '<span class="avatar{}" data-hue="{}" aria-hidden="true">{}</span>',
        f" {extra}" if extra else "",
        hue,
        initials,
    )


@register.simple_tag
def bar(
    percent: float | Decimal | None,
    tone: object = "",
    forecast: float | Decimal | None = None,
    mark: float | Decimal | None = None,
    label: str | None = "",
) -> SafeString:
    """Draw how much of a limit is used, with the hatched forecast and the ink mark of an even pace today.

    `tone` is ok, warn, bad or brand, or a team's colour slot, 1 to 4. Without a label a reader hears how much is used;
    a label of None hides it from readers, where the words beside it say the same of a share.
    """
    used, ahead = float(percent or 0), float(forecast or 0)
    width, until = (max(0.0, min(share, 100.0)) for share in (used, ahead))
    said = label or f"{formatting.percent(used)} used" + (f", forecast {formatting.percent(ahead)}" if ahead else "")
    hatch = ""
    if until > width:
        hatch = format_html(
            '<rect class="bar-forecast" x="{}%" width="{}%" height="6"/>',
            _coord(width),
            _coord(until - width),
        )
    kind = "data-team" if str(tone) in {"1", "2", "3", "4"} else "data-tone"
    return format_html(
        '<svg class="bar" {}><rect class="bar-track" width="100%" height="6" rx="3"/>{}'
        '<rect class="bar-fill"{} width="{}%" height="6" rx="3"/>{}</svg>',
        mark_safe('aria-hidden="true"') if label is None else format_html('role="img" aria-label="{}"', said),
        hatch,
        format_html(' {}="{}"', kind, tone) if tone else "",
        _coord(width),
        ""
        if mark is None
        else format_html(
            '<rect class="bar-mark" x="{}%" y="-3" width="1.5" height="12"/>', _coord(max(0.0, min(float(mark), 100)))
        ),
    )


@register.simple_tag
def spark(points: Sequence[float | Decimal | None], tone: str = "") -> SafeString:
    """Draw a line without axes. The number beside it is the content, so it is hidden from readers."""
    values = [float(point or 0) for point in points] or [0.0]
    low, high = min(values), max(values)
    step = 100 / (len(values) - 1) if len(values) > 1 else 0
    if len(values) == 1:
        values, step = values * 2, 100
    path = "L".join(
        f"{_coord(index * step)} {_coord(25 - 21 * (value - low) / ((high - low) or 1))}"
        for index, value in enumerate(values)
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true"{}>'
        '<path class="area" d="M{}L100 28L0 28Z"/><path d="M{}"/></svg>',
        format_html(' data-tone="{}"', tone) if tone else "",
        path,
        path,
    )


@register.simple_tag
def delta(text: object, good: bool | None = True, up: bool = True) -> SafeString:
    """Show a change: the arrow says where it went, the colour whether that is good. `good=None` takes no side."""
    tone = {True: "is-ok", False: "is-bad", None: "soft"}[good]
    return format_html(
        '<span class="delta {}">{}<span class="vh">{} </span>{}</span>',
        tone,
        icon("arrow-up" if up else "arrow-down"),
        "up" if up else "down",
        text,
    )


@register.simple_tag
def chart(data: Any, height: int = 220, label: str = "") -> SafeString:
    """Draw series over time. `data` is {unit, data: [seconds, values…], series: [{name, color}], limits, marks}.

    `label` states the finding. The page sets `{% block charts %}1{% endblock %}` so that the chart library is loaded.
    """
    return format_html(
        '<time-chart height="{}" role="img" aria-label="{}"><script type="application/json">{}</script></time-chart>',
        height,
        label,
        as_json(data),
    )


@register.simple_tag
def copy_button(target: str, label: str = "Copy", extra: str = "") -> SafeString:
    """A button that copies the text of the element `target` ("#id"). It says what it copies to screen readers."""
    return format_html(
        '<button class="icon-btn is-sm needs-js{}" type="button" data-copy="{}" aria-label="{}">{}</button>',
        f" {extra}" if extra else "",
        target,
        label,
        icon("copy"),
    )


# What a browser gets no second time, and what to do about it once a form with it was refused.
NOT_SENT_BACK = {
    "password": "Write it again: a secret is never sent back to a page.",
    "file": "Choose it again: a refused form cannot keep a file.",
}


@register.filter
def again(field: BoundField) -> str:
    """Return what to say at a field whose value was right and is lost, because another was wrong."""
    if not field.form.is_bound or not field.form.errors or field.errors or not field.data:
        return ""
    proves = field.field.widget.attrs.get("autocomplete") == "current-password"
    if proves and field.form.errors.keys() == {
        NON_FIELD_ERRORS
    }:  # it may be what was wrong: who signs in writes it again
        return ""
    return NOT_SENT_BACK.get(getattr(field.field.widget, "input_type", ""), "")


def _is_first_wrong(field: BoundField) -> bool:
    return bool(field.errors) and next(name for name in field.form.fields if field.form[name].errors) == field.name


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """Render a form field's input, select or text area in Facet's style. The first wrong one has the focus."""
    widget = field.field.widget
    attrs: dict[str, str | bool] = {}
    if not isinstance(widget, CheckboxInput):
        wanted = str(widget.attrs.get("class", ""))
        attrs["class"] = " ".join(dict.fromkeys(["control", *wanted.split()]))
    if _is_first_wrong(field):
        attrs["autofocus"] = True
    if again(field):
        attrs["aria-describedby"] = f"{field.aria_describedby or ''} {field.auto_id}_again".strip()
    return field.as_widget(attrs=attrs)


@register.simple_block_tag
def chart_files(content: str) -> SafeString:
    """Load the chart library for a page that fills the block inside."""
    if not content.strip():
        return mark_safe("")
    return format_html(
        '<link rel="stylesheet" href="{}"><script defer src="{}"></script><script defer src="{}"></script>',
        static("vendor/uplot.css"),
        static("vendor/uplot.js"),
        static("js/time-chart.js"),
    )


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """Return the page's query string with changes; None or "" takes a parameter away. Always starts with `?`."""
    params: QueryDict = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None or value == "":
            params.pop(name, None)
        elif isinstance(value, (list, tuple)):
            params.setlist(name, [str(item) for item in value])
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}"


@register.simple_tag(takes_context=True)
def came_from(context: Context) -> str:
    """Return the page of this console somebody came from, to go back to; the overview where that is not known.

    A form that is shown again was sent from its own page, which is none to go back to.
    """
    request = context["request"]
    try:
        before = urlsplit(request.headers.get("Referer", ""))
    except ValueError:
        return "/"
    is_here = before.netloc == request.get_host() and "/reauthenticate/" not in before.path
    return urlunsplit(("", "", before.path, before.query, "")) if is_here and before.path[:2] != "//" else "/"


def _coord(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
