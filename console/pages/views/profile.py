"""The profile page: name and keyboard shortcuts."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.core.forms import status_of
from console.core.htmx import go
from console.teams.access import SIGNED_IN, needs
from console.teams.callers import TeamRequest
from console.teams.services.profile import change_profile


class ProfileForm(forms.Form):
    name = forms.CharField(
        max_length=120,
        required=False,
        help_text="Shown to colleagues and in the audit log. Empty: your e-mail address.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    shortcuts_enabled = forms.BooleanField(
        required=False,
        label="Single-letter keyboard shortcuts",
        help_text="J and K move through rows, G and a letter opens a page, ? lists them all. Ctrl K works either way.",
        widget=forms.CheckboxInput(attrs={"class": "switch", "role": "switch"}),
    )


@needs(SIGNED_IN)
def profile(request: TeamRequest) -> HttpResponse:
    user = request.caller.user
    if user is None:
        raise TypeError("Only people have a session.")
    form = ProfileForm(request.POST or None, initial={"name": user.name, "shortcuts_enabled": user.shortcuts_enabled})
    if form.is_valid():
        change_profile(actor=request.caller.actor, user=user, **form.cleaned_data)
        return go(request, reverse("pages:profile"), "Your profile is saved.")
    return render(request, "pages/profile.html", {"form": form}, status=status_of(form))
