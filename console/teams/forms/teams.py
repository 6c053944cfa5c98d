"""Forms about teams, members and people."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from django.db.models import QuerySet

from console.core.forms import ShortNamed, offer, seen_field
from console.teams.forms.base import ConsoleForm
from console.teams.models import Role, Team, User
from console.teams.roles import ROLE_SENTENCES

_ROLES = [(role.value, f"{role.label}: {ROLE_SENTENCES[role.value]}") for role in Role]


class CreateTeamForm(ShortNamed, ConsoleForm):
    name = forms.CharField(max_length=120, help_text="For example “Support”.")
    slug = forms.SlugField(
        label="Short name",
        max_length=60,
        error_messages={"invalid": "Write letters, digits, hyphens and underscores."},
        help_text="Used in addresses and configuration files.",
    )

    def clean_slug(self) -> str:
        return super().clean_slug().lower()


class ChangeTeamForm(ConsoleForm):
    name = forms.CharField(max_length=120)
    requires_two_factor = forms.BooleanField(
        label="Require two-factor sign-in",
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "switch"}),
        help_text="Members without it are asked to set it up before they can do anything else.",
    )

    seen_revision = seen_field()

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "name": team.name,
            "requires_two_factor": team.requires_two_factor,
            "seen_revision": team.revision,
        }
        super().__init__(*args, **kwargs)


class InviteForm(ConsoleForm):
    email = forms.EmailField(
        label="E-mail address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(choices=_ROLES, initial=Role.MEMBER, widget=forms.RadioSelect)


class RoleForm(ConsoleForm):
    role = forms.ChoiceField(choices=_ROLES, widget=forms.RadioSelect)


class RemoveMemberForm(ConsoleForm):
    hand_keys_to = forms.ModelChoiceField(
        User.objects.none(),
        label="Hand the keys to",
        required=False,
        empty_label="Nobody: the keys stop",
        help_text="The keys go on with the rights of the person who answers for them.",
    )

    def __init__(self, *args: Any, people: QuerySet[User], has_keys: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "hand_keys_to", people)
        if not has_keys:
            del self.fields["hand_keys_to"]


class AddPersonForm(ConsoleForm):
    name = forms.CharField(max_length=120)
    email = forms.EmailField(label="E-mail address", max_length=254)
    is_operator = forms.BooleanField(
        label="Operator",
        required=False,
        help_text="Operators run the installation and see every team.",
    )


class JoinForm(ConsoleForm):
    """The account of somebody who was invited."""

    name = forms.CharField(max_length=120, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=" ".join(str(text) for text in password_validators_help_texts()[1:2]),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "password" in values:
            try:
                validate_password(values["password"], User(email=self.email, name=values.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return values
