"""Forms of the connected repository."""

from typing import Any

from django import forms
from django.utils.safestring import mark_safe

from console.core.forms import SecretArea, seen_field
from prompts_app.git.models import GitRemote
from prompts_app.git.remotes import FIELDS

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "class": "mono"}


class RemoteForm(forms.Form):
    address = forms.CharField(
        max_length=500,
        widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "https://git.example.com/team/prompts.git"}),
        help_text="https, ssh, or a folder of this machine; only where the deployment's settings allow.",
    )
    branch = forms.CharField(max_length=100, initial="main", widget=forms.TextInput(attrs=_PLAIN))
    username = forms.CharField(
        max_length=100,
        required=False,
        label="User name",
        widget=forms.TextInput(attrs=_PLAIN),
        help_text="Empty: git, which most hosts take with a token.",
    )
    credential = forms.CharField(
        max_length=20_000,
        required=False,
        strip=True,
        widget=SecretArea(attrs={**_PLAIN, "rows": 2}),
        help_text="A token for https, a private key for ssh. Kept encrypted and never shown again.",
    )
    clear_credential = forms.BooleanField(required=False, label="Remove credential")
    host_key = forms.CharField(
        max_length=4000,
        required=False,
        label="Public key of the ssh host",
        widget=forms.Textarea(attrs={**_PLAIN, "rows": 2}),
        help_text=mark_safe("As <code>ssh-keyscan HOST</code> prints it; compare it with what your host publishes."),
    )
    syncs_on_publish = forms.BooleanField(required=False, initial=True, label="Sync after each save and publish")
    every_minutes = forms.IntegerField(
        min_value=0, max_value=10_080, initial=15, label="Sync interval, in minutes", help_text="0: no scheduled sync."
    )

    seen_revision = seen_field()

    def __init__(self, *args: Any, remote: GitRemote | None = None, **kwargs: Any) -> None:
        if remote is not None:
            kwargs["initial"] = {name: getattr(remote, name) for name in FIELDS} | {"seen_revision": remote.revision}
        super().__init__(*args, **kwargs)
        if remote is not None and remote.has_credential:
            self.fields["credential"].label = "New credential"
            self.fields[
                "credential"
            ].help_text = "One is set. Leave this empty to keep it; changing the host of the address removes it."
        else:
            del self.fields["clear_credential"]

    def fields_to_set(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in FIELDS}

    def credential_to_set(self) -> str | None:
        """Return the credential to set, "" to take it away, None to leave it."""
        if self.cleaned_data.get("credential"):
            return str(self.cleaned_data["credential"])
        return "" if self.cleaned_data.get("clear_credential") else None
