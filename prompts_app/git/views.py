"""The page of the connected repository. For operators."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from console.core.forms import refusals_at, status_of
from console.core.htmx import go, is_htmx
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from prompts_app.git import remotes
from prompts_app.git import sync as syncing
from prompts_app.git.forms import RemoteForm
from prompts_app.git.models import GitSync

_SHOWN = 20


@needs(OPERATOR)
def git(request: TeamRequest) -> HttpResponse:
    """Show the repository, or connect one; POST saves the form."""
    remote = remotes.connected()
    if request.method != "POST":
        partial = "state" if request.GET.get("piece") == "state" and remote else ""
        return _page(request, partial=partial)
    form = RemoteForm(request.POST, remote=remote)
    if form.is_valid():
        given = form.fields_to_set() | {"seen_revision": form.cleaned_data["seen_revision"]}
        with refusals_at(form):
            if remote is None:
                remotes.connect(actor=request.caller.actor, credential=form.credential_to_set() or "", **given)
            else:
                remotes.change(actor=request.caller.actor, credential=form.credential_to_set(), **given)
            message = "Saved." if remote else "Connected. Test it, then sync for the first time."
            return go(request, reverse("prompts_git:git"), message)
    return _page(request, partial="form", status=422 if is_htmx(request) else status_of(form), form=form)


@needs(OPERATOR)
@require_POST
def test(request: TeamRequest) -> HttpResponse:
    """Ask the repository whether it answers, now."""
    return _page(request, partial="state", outcome=syncing.check(actor=request.caller.actor))


@needs(OPERATOR)
@require_POST
def sync(request: TeamRequest) -> HttpResponse:
    remotes.want_sync(actor=request.caller.actor)
    return go(request, reverse("prompts_git:git"), "Sync started; this page shows the result.")


@needs(OPERATOR)
@require_POST
def resolve(request: TeamRequest) -> HttpResponse:
    """Sync at once, taking one side of one conflict."""
    slug = request.POST.get("slug", "")
    sides = {"git": {"take": [slug]}, "console": {"keep": [slug]}}
    side = sides.get(request.POST.get("side", ""), {})
    done = syncing.sync(actor=request.caller.actor, **side) if slug and side else None
    if done is None:
        said = "A sync is running; try again in a moment."
    elif any(conflict["slug"] == slug for conflict in done.conflicts):
        said = f"{slug} is still in conflict."
    else:
        said = done.sentence or f"{slug} is settled."
    return go(request, reverse("prompts_git:git"), said)


@needs(OPERATOR)
def disconnect(request: TeamRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "prompts/git_disconnect.html", {"active": "prompts"})
    remotes.disconnect(actor=request.caller.actor)
    return go(request, reverse("prompts_git:git"), "Disconnected. The repository keeps what is in it.")


def _page(request: TeamRequest, *, partial: str = "", status: int = 200, **more: Any) -> HttpResponse:
    remote = remotes.connected()
    syncs = list(GitSync.objects.all()[:_SHOWN])
    context = {
        "active": "prompts",
        "remote": remote,
        "form": RemoteForm(remote=remote),
        "syncs": syncs,
        "last": next((one for one in syncs if one.kind == GitSync.Kind.SYNC), None),
        "hosts": settings.PROMPTS_GIT_HOSTS,
        "folders": settings.PROMPTS_GIT_FOLDERS,
        **more,
    }
    template = "prompts/git.html"
    return render(
        request, f"{template}#{partial}" if partial and is_htmx(request) else template, context, status=status
    )
