"""What forms share."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.html import format_html
from django.utils.text import slugify

from console.core.errors import Overtaken, Refusal
from console.core.formatting import first_few

# Attributes of a field for what is no prose: names, addresses, expressions.
MONO = {"class": "mono", "autocomplete": "off", "spellcheck": "false"}
_OVERTAKEN = "overtaken"


class SecretArea(forms.Textarea):
    """A text area for a secret of several lines: as a password field, it never shows what was typed."""

    input_type = "password"

    def get_context(self, name: str, value: object, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


def seen_field() -> forms.IntegerField:
    """The revision a form was filled in on, to notice that somebody else was quicker."""
    # Two forms of one page may have it, and nothing points at it.
    return forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput({"id": False}))


class ShortNamed(forms.Form):
    """A form with a `name` and a short one, `slug`, which is made from it where nobody writes one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if slug := self.fields.get("slug"):
            slug.required = False
            slug.help_text = format_html("{} Empty: made from the name.", slug.help_text)

    def clean_slug(self) -> str:
        field: forms.CharField = self.fields["slug"]  # type: ignore[assignment]
        name = str(self.cleaned_data.get("name", ""))
        slug = str(self.cleaned_data["slug"]) or slugify(name)[: field.max_length].strip("-_")
        if name and not slug:
            raise ValidationError("Write a short name of lower-case letters, digits and hyphens.")
        return slug


def offer(form: forms.BaseForm, name: str, rows: QuerySet[Any] | None) -> None:
    """Have a field of a form choose among these rows; with None there is nothing to choose, as it is declared."""
    if rows is not None:
        form.fields[name].queryset = rows  # type: ignore[attr-defined]


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what binds a form: what was posted, none of its fields perhaps; None where the page is only looked at."""
    return request.POST if request.method == "POST" else None


def status_of(form: forms.BaseForm) -> int:
    """Return the status of a page that shows a form: 422 where it could not be used, 409 where it was overtaken."""
    if not form.is_bound:
        return 200
    return Overtaken.status if form.has_error(NON_FIELD_ERRORS, _OVERTAKEN) else 422


def refused_by(request: HttpRequest, do: Callable[[], object]) -> str | None:
    """Do what a POST asks for, and say what it was refused with: None when it is done, empty while nobody asks."""
    if request.method != "POST":
        return ""
    try:
        do()
    except Refusal as refusal:
        return refusal.message
    return None


@contextmanager
def refusals_at(form: forms.BaseForm) -> Iterator[None]:
    """Show at the form what a service refuses."""
    try:
        yield
    except Refusal as refusal:
        refuse(form, refusal)


def refuse(form: forms.BaseForm, refusal: Refusal) -> None:
    """Show a service's refusal at the field it names, or above the form.

    Of a name in parts (`config.queue`) the whole, the first and the last part are looked for, in this order. A form
    that calls a field otherwise than services do says so in `shown_at`, by the services' name.

    A form that was overtaken keeps what was typed and may be sent again: it has a field `seen_…`, and its initial
    values are those of now. What differs from these is named, unless all it asks is why (`reason`, or the field it
    names as `says_why`): then the refusal says all there is.
    """
    if isinstance(refusal, Overtaken) and _seen_fields(form):
        form.add_error(None, ValidationError(_decide_anew(form, refusal), code=_OVERTAKEN))
        return
    named = refusal.param or ""
    shown_at = getattr(form, "shown_at", {})
    places = [shown_at.get(name, name) for name in (named, named.partition(".")[0], named.rpartition(".")[2])]
    form.add_error(next((name for name in places if name in form.fields), None), refusal.message)


def _decide_anew(form: forms.BaseForm, refusal: Overtaken) -> str:
    """Let a form that showed an older state be sent again as it stands; return what to say about it."""
    sent = form.data.copy()  # type: ignore[attr-defined]
    for name in _seen_fields(form):
        now_is = form[name].initial
        sent[form.add_prefix(name)] = "" if now_is is None else str(now_is)  # None: it is not there any more
    form.data = sent
    why = getattr(form, "says_why", "reason")
    shown = [field for field in form.visible_fields() if field.name != why]
    if "reason" in form.fields or not shown:  # it asks for a decision, and shows nothing that could differ
        return refusal.message
    return what_differs(refusal, [f"“{field.label}”" for field in shown if _differs(field)])


def _seen_fields(form: forms.BaseForm) -> list[str]:
    return [name for name in form.fields if name.startswith("seen_")]


def what_differs(refusal: Overtaken, names: Sequence[str]) -> str:
    """Return what to say above what was typed; `names` are the parts in which it differs from what is there now."""
    if not names:
        return f"{refusal.message} It says what you typed already."
    typed = "What you typed is below. It differs from what is there now in"
    return f"{refusal.message} {typed} {first_few(names, 20)}; saving again replaces that."


def _differs(field: forms.BoundField) -> bool:
    typed = field.data.replace("\r\n", "\n") if isinstance(field.data, str) else field.data
    return field.field.has_changed(field.initial, typed)
