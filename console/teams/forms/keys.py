"""Forms about API keys."""

import datetime as dt
from typing import Any

from django import forms
from django.db.models import QuerySet

from console.core.cached_settings import settings
from console.core.clock import now
from console.core.forms import offer, seen_field
from console.core.lanes import Lane
from console.teams.forms.base import ConsoleForm, TeamField, WordsField
from console.teams.models import ApiKey, Environment, Team, UnknownFields, User
from console.teams.roles import ADMINISTRATIVE_SCOPES, DEFAULT_SCOPES, OPERATOR_SCOPES, SCOPE_SENTENCES, SCOPES
from console.teams.services.keys import OVERLAPS
from console.teams.unknown_fields import is_laxer

_LIFETIMES = {"30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}
_KEEP = "keep"


def _scope_choices(
    allowed: frozenset[str], also: list[str] | None = None, *, is_operator: bool = False
) -> list[tuple[str, str]]:
    """Return the scopes a person may give away, and those the key has already."""
    return [
        (scope, f"{SCOPE_SENTENCES[scope]}{' (asks you to sign in again)' if scope in ADMINISTRATIVE_SCOPES else ''}")
        for scope, right in SCOPES.items()
        if (right in allowed and (is_operator or scope not in OPERATOR_SCOPES)) or scope in (also or [])
    ]


def _end_of(lifetime: str) -> dt.datetime | None:
    return now() + dt.timedelta(days=int(lifetime)) if lifetime else None


class _Limits(ConsoleForm):
    shown_at = {"expires_at": "expires_in"}

    scopes = forms.MultipleChoiceField(
        label="What it may do", widget=forms.CheckboxSelectMultiple, initial=list(DEFAULT_SCOPES)
    )
    aliases = WordsField(
        label="Only these aliases", help_text="Names separated by commas. Empty: every alias of the team."
    )
    networks = WordsField(
        label="Only from these networks",
        help_text="Addresses or CIDR, for example 203.0.113.0/24. Empty: from anywhere.",
    )
    max_lane = forms.ChoiceField(
        label="Fastest lane",
        choices=Lane.choices,
        initial=Lane.INTERACTIVE,
        required=False,
        help_text="Its calls never get a faster lane. Use standard or batch for background programs.",
    )

    unknown_fields = forms.ChoiceField(
        label="Unknown request fields",
        choices=UnknownFields.choices,
        required=False,
    )

    def _offer_words(self, *, is_operator: bool, present: str = "") -> None:
        """Offer what this person may say of unknown fields, and what the key's word is already."""
        field = self.fields["unknown_fields"]
        assert isinstance(field, forms.ChoiceField)
        offered = [row for row in UnknownFields.choices if is_operator or row[0] == present or not is_laxer(row[0])]
        field.choices = offered
        field.help_text = (
            "What happens to request fields Facet does not know; removed fields are named in the response headers."
        )
        if len(offered) < len(UnknownFields.choices):
            limit = UnknownFields(settings.GATEWAY_UNKNOWN_FIELDS).label.lower()
            field.help_text += f" The installation default is: {limit}. Only an operator can make a key less strict."

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("max_lane"):
            values.pop("max_lane", None)  # a form without it leaves the lane as it is
        if self.add_prefix("unknown_fields") not in self.data:
            values.pop("unknown_fields", None)
        return values


class CreateKeyForm(_Limits):
    team = TeamField()
    name = forms.CharField(
        max_length=80,
        widget=forms.TextInput(attrs={"autofocus": True}),
        help_text="Where it is used, for example “help-app backend”.",
    )
    environment = forms.ChoiceField(
        choices=Environment.choices,
        widget=forms.RadioSelect,
        initial=Environment.PRODUCTION,
        help_text="Decides which pin an alias resolves to.",
    )
    expires_in = forms.ChoiceField(
        label="Expires after", choices=list(_LIFETIMES.items()), required=False, initial="90"
    )

    field_order = (
        "team",
        "name",
        "environment",
        "scopes",
        "expires_in",
        "aliases",
        "networks",
        "max_lane",
        "unknown_fields",
    )

    def __init__(
        self, *args: Any, teams: QuerySet[Team], allowed: frozenset[str], is_operator: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "team", teams)
        self.fields["scopes"].choices = _scope_choices(allowed, is_operator=is_operator)  # type: ignore[attr-defined]
        self._offer_words(is_operator=is_operator)

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        values["expires_at"] = _end_of(values.pop("expires_in", ""))
        return values


class ChangeKeyForm(_Limits):
    name = forms.CharField(max_length=80)
    expires_in = forms.ChoiceField(label="Expires", required=False)
    seen_revision = seen_field()

    field_order = ("name", "scopes", "expires_in", "aliases", "networks", "max_lane", "unknown_fields")

    def __init__(
        self, *args: Any, key: ApiKey, allowed: frozenset[str], is_operator: bool = False, **kwargs: Any
    ) -> None:
        kwargs.setdefault(
            "initial",
            {
                "name": key.name,
                "scopes": key.scopes,
                "aliases": key.aliases,
                "networks": key.networks,
                "max_lane": key.max_lane,
                "unknown_fields": key.unknown_fields,
                "expires_in": _KEEP if key.expires_at else "",
                "seen_revision": key.revision,
            },
        )
        super().__init__(*args, **kwargs)
        self.key = key
        self._offer_words(is_operator=is_operator, present=key.unknown_fields)
        choices = _scope_choices(allowed, key.scopes, is_operator=is_operator)
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]
        keep = [(_KEEP, f"Unchanged: {key.expires_at:%-d %b %Y}")] if key.expires_at else []
        later = [(days, f"In {words}" if days else words) for days, words in _LIFETIMES.items()]
        self.fields["expires_in"].choices = keep + later  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        lifetime = values.pop("expires_in", "")
        values["expires_at"] = self.key.expires_at if lifetime == _KEEP else _end_of(lifetime)
        return values


class RotateKeyForm(ConsoleForm):
    overlap = forms.ChoiceField(
        label="The old key",
        choices=[
            ("0", "Stops at once"),
            ("1h", "Valid for 1 more hour"),
            ("24h", "Valid for 1 more day"),
            ("7d", "Valid for 1 more week"),
        ],
        initial="24h",
        widget=forms.RadioSelect,
        help_text="Batches, runs and responses in progress then continue with the new key. Stopping at once ends them.",
    )

    def clean_overlap(self) -> dt.timedelta:
        return OVERLAPS[self.cleaned_data["overlap"]]


class HandOverKeyForm(ConsoleForm):
    owner = forms.ModelChoiceField(
        User.objects.none(),
        label="Responsible person",
        empty_label=None,
        help_text="The key can never do more than this person may do in the team.",
    )

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "owner", people)
