"""allauth's forms in the console's style: sentence case, no placeholders."""

from typing import Any

from allauth.account import forms

from console.teams.models import User

_WORDS = {
    "login": "E-mail",
    "email": "E-mail",
    "password": "Password",
    "oldpassword": "Present password",
    "password1": "New password",
    "password2": "New password again",
    "code": "Code",
}


class _OurWords:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: dict[str, Any] = self.fields  # type: ignore[attr-defined]
        for name, field in fields.items():
            field.label = _WORDS.get(name, field.label)
            field.widget.attrs.pop("placeholder", None)
        # A page that asks for one thing begins with it; refused, it begins with what was wrong.
        next(iter(fields.values())).widget.attrs["autofocus"] = not self.is_bound  # type: ignore[attr-defined]


class LoginForm(_OurWords, forms.LoginForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(_OurWords, forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class AddEmailForm(_OurWords, forms.AddEmailForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = "New address"


class ResetPasswordForm(_OurWords, forms.ResetPasswordForm):  # type: ignore[misc]
    def clean_email(self) -> str:
        """Serve only whoever has the address; an account that asked to change to it has not proven it yet."""
        email: str = super().clean_email()
        found: list[User] = self.users  # type: ignore[has-type]
        self.users = [user for user in found if user.email == email.lower()]
        return email


class ChangePasswordForm(_OurWords, forms.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordForm(_OurWords, forms.SetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(_OurWords, forms.ResetPasswordKeyForm):  # type: ignore[misc]
    pass


class MailedCodeForm(_OurWords, forms.ConfirmReauthenticationCodeForm):  # type: ignore[misc]
    pass
