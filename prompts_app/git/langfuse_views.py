"""The page that imports a Langfuse file, with a preview."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.core.errors import Refusal
from console.core.formatting import plural
from console.core.forms import offer, status_of
from console.core.htmx import go
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest
from console.teams.forms.base import TeamField
from prompts_app.git.langfuse import import_langfuse
from prompts_app.git.langfuse_file import LARGEST_SENT
from prompts_app.git.problems import Unreadable


class _TeamForm(forms.Form):
    team = TeamField()

    def __init__(self, request: TeamRequest, *args: Any) -> None:
        super().__init__(*args)
        offer(self, "team", teams_for(request.caller, "build"))


class LookForm(_TeamForm):
    file = forms.FileField(
        help_text="JSON as Langfuse's API and exports give it, or JSON lines.",
        widget=forms.FileInput(attrs={"accept": ".json,.jsonl,.ndjson,application/json"}),
    )
    field_order = ("file", "team")

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_SENT:
            raise forms.ValidationError("This is more than 1.5 MB; `manage.py prompts import-langfuse` takes it.")
        return file

    def raw(self) -> bytes:
        return bytes(self.cleaned_data["file"].read())


class MakeForm(_TeamForm):
    """What was looked at travels with the page, so that nothing else is made."""

    text = forms.CharField(strip=False, max_length=LARGEST_SENT)

    def raw(self) -> bytes:
        return str(self.cleaned_data["text"]).encode()


@needs("build")
def import_prompts(request: TeamRequest) -> HttpResponse:
    """Show what a file would make; with `make`, make it."""
    is_look = "make" not in request.POST
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form: LookForm | MakeForm = LookForm(request, *sent) if is_look else MakeForm(request, *sent)
    context: dict[str, Any] = {"active": "prompts", "form": form if is_look else LookForm(request)}
    if not form.is_valid():
        if not is_look:
            context["refused"] = "Look at the file again: the team or the text did not arrive."
        return render(request, "prompts/import.html", context, status=status_of(form))
    raw, team = form.raw(), form.cleaned_data["team"]
    try:
        found = import_langfuse(actor=request.caller.actor, team=team, raw=raw, dry_run=is_look)
    except Unreadable as error:
        return render(request, "prompts/import.html", context | {"problems": error.problems}, status=422)
    except Refusal as refusal:
        context["refused"] = refusal.message
        return render(request, "prompts/import.html", context, status=422)
    if is_look:
        context |= {"found": found, "text": raw.decode(), "team": team}
        return render(request, "prompts/import.html", context)
    message = f"Made {plural(len(found.made), 'version')} and set {plural(len(found.labels), 'label')}."
    return go(request, reverse("prompts_git:import"), message)
