"""allauth's forms for codes of an authenticator app or recovery codes, with labels that say which."""

from typing import Any

from allauth.mfa.base import forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm

from console.teams.models import User


def has_app(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


class _Codes:
    has_app = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_app = has_app(self.user)  # type: ignore[attr-defined]
        code = self.fields["code"]  # type: ignore[attr-defined]
        code.widget.attrs.pop("placeholder", None)
        if not self.has_app:
            code.label = "Recovery code"
            code.widget.attrs["autocomplete"] = "off"
        else:
            code.widget.attrs["autofocus"] = True


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        code = self.fields["code"]
        code.label = "Code the app shows"
        code.widget.attrs.pop("placeholder", None)


class AuthenticateForm(_Codes, forms.AuthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(_Codes, forms.ReauthenticateForm):  # type: ignore[misc]
    pass
