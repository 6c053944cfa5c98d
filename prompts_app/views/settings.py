"""A prompt's settings: description, visibility, required partials and waivers; deletion."""

import uuid
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.core.errors import Refusal
from console.core.forms import posted, refusals_at, refuse, refused_by, status_of
from console.core.htmx import go
from console.teams.access import needs, teams_for
from console.teams.callers import TeamRequest
from prompts_app import access, where_used
from prompts_app.forms.prompts import RequireForm, SettingsForm, WaiverForm
from prompts_app.models import Kind, Prompt, Waiver
from prompts_app.queries import required, usage_groups
from prompts_app.services import prompts as services
from prompts_app.services import waivers
from prompts_app.views.frame import ACTIVE, frame


@needs("view_team")
def settings(request: TeamRequest, slug: str) -> HttpResponse:
    """What is said about a prompt. Members read it; builders change it."""
    prompt = access.prompt_for(request.caller, slug, to="edit" if request.method == "POST" else "view")
    form = SettingsForm(posted(request), prompt=prompt)
    if form.is_valid():
        with refusals_at(form):
            services.change_prompt(actor=request.caller.actor, prompt=prompt, **form.cleaned_data)
            return go(request, reverse("prompts:settings", args=[slug]), f"Changed {slug}.")
    return _page(request, prompt, form=form, status=status_of(form))


@needs("manage_team")
@require_POST
def require(request: TeamRequest, slug: str) -> HttpResponse:
    """Make a partial required, of some teams or of all; or not any more."""
    prompt = access.prompt_for(request.caller, slug, to="rule")
    teams = teams_for(request.caller, "manage_team")
    form = RequireForm(request.POST, prompt=prompt, teams=teams)
    if form.is_valid():
        others = [team for team in prompt.covers.all() if not request.caller.may("manage_team", team.pk)]
        wanted = {"is_required": form.cleaned_data["is_required"], "covers": [*form.cleaned_data["covers"], *others]}
        seen = form.cleaned_data["seen_revision"]
        try:
            access.check_may_require(request.caller, prompt, **wanted)
            services.change_prompt(actor=request.caller.actor, prompt=prompt, seen_revision=seen, **wanted)
        except PermissionDenied as denied:
            form.add_error("covers", str(denied))
        except Refusal as refusal:
            refuse(form, refusal)
        else:
            message = f"{slug} is {'required' if form.cleaned_data['is_required'] else 'not required any more'}."
            return go(request, reverse("prompts:settings", args=[slug]), message)
    return _page(request, prompt, require=form, status=status_of(form))


def _page(request: TeamRequest, prompt: Prompt, *, status: int = 200, **forms: Any) -> HttpResponse:
    visible = access.prompts_for(request.caller)
    teams = teams_for(request.caller, "manage_team")
    context: dict[str, Any] = {
        **frame(request, prompt, "settings"),
        "form": SettingsForm(prompt=prompt),
        "require": RequireForm(prompt=prompt, teams=teams) if prompt.kind == Kind.PARTIAL else None,
        "reach": required.reach(prompt, visible) if prompt.kind == Kind.PARTIAL else None,
        "lacking": required.state(prompt),
        "may_copy": request.caller.may("build"),
        "sees_rules": request.caller.may("view_team", prompt.team_id),
        **forms,
    }
    return render(request, "prompts/settings.html", context, status=status)


@needs("build")
def delete(request: TeamRequest, slug: str) -> HttpResponse:
    """Ask, then delete; while something uses the prompt, say what instead."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    refused = refused_by(request, lambda: services.delete_prompt(actor=request.caller.actor, prompt=prompt))
    if refused is None:
        return go(request, reverse("prompts:prompts"), f"Deleted {slug}. Its versions stay for the log.")
    holders = [use for use in where_used.uses_of(prompt) if use.holds]
    context = {
        "active": ACTIVE,
        "prompt": prompt,
        "refused": refused,
        "groups": usage_groups.groups(
            holders, access.prompts_for(request.caller), teams_for(request.caller), request.caller.may
        ),
    }
    return render(request, "prompts/delete.html", context, status=409 if refused else 200)


@needs("approve")
@require_POST
def give_waiver(request: TeamRequest, slug: str) -> HttpResponse:
    """Let one prompt go without a required partial, and say why."""
    prompt = access.prompt_for(request.caller, slug, to="waive")
    form = WaiverForm(request.POST)
    if form.is_valid():
        partial = access.prompt_for(request.caller, form.cleaned_data["partial"])
        with refusals_at(form):
            waivers.give_waiver(
                actor=request.caller.actor, prompt=prompt, partial=partial, reason=form.cleaned_data["reason"]
            )
            return go(request, reverse("prompts:settings", args=[slug]), f"{slug} may go without {partial.slug}.")
    return _page(request, prompt, waiver=form, status=422)


@needs("approve")
def end_waiver(request: TeamRequest, slug: str, waiver_id: uuid.UUID) -> HttpResponse:
    """Ask first, then end a waiver: it can be given again, but only under a new reason and name."""
    prompt = access.prompt_for(request.caller, slug, to="waive")
    waiver = Waiver.objects.select_related("partial").filter(prompt=prompt, pk=waiver_id).first()
    if waiver is None:
        raise Http404("There is no such waiver.")
    if request.method != "POST":
        return render(request, "prompts/end_waiver.html", {"active": ACTIVE, "prompt": prompt, "waiver": waiver})
    waivers.end_waiver(actor=request.caller.actor, waiver=waiver)
    return go(request, reverse("prompts:settings", args=[slug]), f"Ended the waiver for {waiver.partial.slug}.")
