"""The hash chain of the audit log: its head, its checks, and verification of a head kept elsewhere."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.audit.services import checks
from console.audit.services.seal import state
from console.core.errors import BadInput, Refusal
from console.core.htmx import go, is_htmx
from console.teams.access import needs
from console.teams.callers import TeamRequest
from usage_app.forms.chain import KeptHeadForm


@needs("view_audit")
@require_http_methods(["GET", "HEAD", "POST"])
def chain(request: TeamRequest) -> HttpResponse:
    """Show the chain; a POST asks whether a head is part of it, and changes nothing."""
    form, kept = KeptHeadForm(request.POST or None), None
    if form.is_valid():
        try:
            kept = checks.look_for(form.cleaned_data["head"])
        except BadInput as wrong:
            form.add_error("head", wrong.message)
    found = checks.last_checks()
    context = {
        "seal": state(),
        "head": checks.head(),
        "checks": found,
        "newest": found[0] if found else None,
        "is_operator": request.caller.is_operator,
        "form": form,
        "kept": kept,
    }
    piece = "#state" if is_htmx(request) and request.GET.get("piece") == "state" else ""
    return render(request, f"usage/chain.html{piece}", context, status=422 if form.errors else 200)


@needs("view_audit")
@require_POST
def verify(request: TeamRequest) -> HttpResponse:
    try:
        checks.start(actor=request.caller.actor, is_operator=request.caller.is_operator)
        message = "Checking the chain. You can leave this page."
    except Refusal as refusal:
        message = refusal.message
    return go(request, reverse("usage:chain"), message)


@needs("view_audit")
@require_safe
def download_head(request: TeamRequest) -> HttpResponse:
    """Give the newest block as a small file, to be kept where nobody here can change it."""
    newest = checks.head()
    if newest is None:
        return go(request, reverse("usage:chain"), "There is no sealed block yet.")
    answer = JsonResponse({"number": newest.number, "sha256": newest.sha256, "sealed_at": newest.sealed_at.isoformat()})
    answer["Content-Disposition"] = f'attachment; filename="facet-audit-head-{newest.number}.json"'
    return answer
