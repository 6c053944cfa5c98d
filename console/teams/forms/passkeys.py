"""allauth's forms for passkeys, with limits it lacks: which challenge, how often, and how deep."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.account.internal.flows.reauthentication import raise_if_reauthentication_required
from allauth.core import context
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.forms import CharField, HiddenInput, JSONField

from console.teams.services.second_factors import rename_passkey

_LONGEST_NAME = 80
_NO_FIT = "incorrect_code"  # what allauth says of any answer that does not fit, in words that are about codes


@contextmanager
def _said_of_keys(words: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        if getattr(error, "code", None) != _NO_FIT:
            raise
        raise ValidationError(words, code=_NO_FIT) from None


class _Answer(JSONField):
    """What a browser answers. Anybody can send anything here, and Python reads no JSON as deep as some."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except RecursionError:
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": "…"}) from None


class _Reading:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["credential"] = _Answer(widget=HiddenInput)  # type: ignore[attr-defined]


class _OncePerChallenge(_Reading):
    def clean_credential(self) -> Authenticator:
        """Take an answer once. Requests that come at the same moment all find the challenge in the session still."""
        with _said_of_keys(
            "This key is not known here any more, or it was asked too long ago. Try again, or another way."
        ):
            asked = auth.get_state() or {}
            self.check_asked(asked)
            authenticator: Authenticator = super().clean_credential()  # type: ignore[misc]
            if not cache.add(f"teams.passkey.answered?{asked['challenge']}", True, timeout=settings.SESSION_COOKIE_AGE):
                raise get_adapter().validation_error(_NO_FIT)
            return authenticator

    def check_asked(self, asked: dict[str, object]) -> None:
        """Refuse an answer to a challenge that was meant for something else."""


class AddForm(_Reading, forms.AddWebAuthnForm):  # type: ignore[misc]
    def clean_name(self) -> str:
        """Cut a name that is too long: the key is made by now, and refusing it would leave it without a use."""
        name: str = super().clean_name()
        return name[:_LONGEST_NAME]

    def clean(self) -> dict[str, Any]:
        with _said_of_keys(
            "The key was not added: this page was asked for too long ago, or again elsewhere. Try again."
        ):
            cleaned: dict[str, Any] = super().clean()
            return cleaned


class EditForm(forms.EditWebAuthnForm):  # type: ignore[misc]
    name = CharField(max_length=_LONGEST_NAME)

    def save(self) -> Authenticator:
        raise_if_reauthentication_required(context.request, app="allauth.mfa")
        caller = context.request.caller
        rename_passkey(actor=caller.actor, user=caller.user, passkey=self.instance, name=self.cleaned_data["name"])
        return self.instance


class AuthenticateForm(_OncePerChallenge, forms.AuthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(_OncePerChallenge, forms.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    pass


class LoginForm(_OncePerChallenge, forms.LoginWebAuthnForm):  # type: ignore[misc]
    def check_asked(self, asked: dict[str, object]) -> None:
        """Let a passkey stand for both factors only where it was asked for a PIN or a finger.

        The page for a second factor does not ask for one, and its challenge waits in the same place: with an account of
        their own, whoever finds somebody's key would need no more than to touch it.
        """
        if asked.get("user_verification") != "required":
            raise get_adapter().validation_error(_NO_FIT)
