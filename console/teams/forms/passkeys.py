"""allauth's forms for passkeys, with what it leaves open: which challenge was answered, how often, and how deep."""

from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms
from allauth.mfa.webauthn.internal import auth
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.forms import HiddenInput, JSONField


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
        asked = auth.get_state() or {}
        self.check_asked(asked)
        authenticator: Authenticator = super().clean_credential()  # type: ignore[misc]
        if not cache.add(f"teams.passkey.answered?{asked['challenge']}", True, timeout=settings.SESSION_COOKIE_AGE):
            raise get_adapter().validation_error("incorrect_code")
        return authenticator

    def check_asked(self, asked: dict[str, object]) -> None:
        """Refuse an answer to a challenge that was meant for something else."""


class AddForm(_Reading, forms.AddWebAuthnForm):  # type: ignore[misc]
    pass


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
            raise get_adapter().validation_error("incorrect_code")
