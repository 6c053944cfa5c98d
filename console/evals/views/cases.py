"""Add, change and delete one test case."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.catalog.access import aliases_for
from console.core import parsing
from console.core.errors import Overtaken, Refusal
from console.core.formatting import as_text
from console.core.htmx import go
from console.evals import access
from console.evals.checks import KINDS, MOST_CHECKS
from console.evals.forms.cases import CaseForm, CheckRow, Sent, decide_anew, fields_of, of_case, read, sent_over
from console.evals.models import TestCase
from console.evals.services import cases
from console.teams.access import needs
from console.teams.callers import TeamRequest
from prompts_app.models import Prompt
from prompts_app.queries.preview import variables_of


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def new_case(request: TeamRequest, slug: str) -> HttpResponse:
    """Write a case; `from` says that the playground sends one over, with the answer it got."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    if request.method != "POST":
        return _page(request, prompt, CaseForm(checks=[CheckRow()]))
    form = read(request.POST)
    sent = sent_over(request.POST)
    if "from" in request.POST:
        form.expected = sent.text
        form.checks = form.checks or [CheckRow("similarity" if form.expected else "contains")]
        return _page(request, prompt, form, sent=sent)
    return _save(request, prompt, form, None, sent)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def edit_case(request: TeamRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    prompt = access.prompt_for(request.caller, slug, to="edit")
    case = access.case_for(prompt, case_id)
    if request.method != "POST":
        variables = {name: as_text(value) for name, value in case.variables.items()}
        return _page(request, prompt, of_case(case, variables), case)
    return _save(request, prompt, read(request.POST), case)


@needs("build")
@require_http_methods(["GET", "HEAD", "POST"])
def delete_case(request: TeamRequest, slug: str, case_id: uuid.UUID) -> HttpResponse:
    """Ask, then forget a case."""
    prompt = access.prompt_for(request.caller, slug, to="edit")
    case = access.case_for(prompt, case_id)
    if request.method == "POST":
        cases.delete_case(actor=request.caller.actor, case=case)
        return go(request, reverse("evals:tests", args=[slug]), f"Removed the test {case.name}.")
    return render(request, "evals/delete.html", {"active": "prompts", "prompt": prompt, "case": case})


def _save(
    request: TeamRequest, prompt: Prompt, form: CaseForm, case: TestCase | None, sent: Sent | None = None
) -> HttpResponse:
    do = request.POST.get("do", "save")
    if do == "add" and len(form.checks) < MOST_CHECKS:
        form.checks.append(CheckRow())
    elif do.startswith("remove-"):
        form.checks = [row for at, row in enumerate(form.checks) if f"remove-{at}" != do]
    if do != "save":
        return _page(request, prompt, form, case, sent=sent)
    fields: dict[str, Any] = {}
    try:
        fields = fields_of(form, _declared(prompt))
        if case is None:
            cases.create_case(actor=request.caller.actor, prompt=prompt, **fields)
        else:
            seen = parsing.number(form.seen_revision, 0) if form.seen_revision else None
            cases.change_case(actor=request.caller.actor, case=case, seen_revision=seen, **fields)
    except Overtaken as overtaken:
        assert case is not None
        case.refresh_from_db()
        decide_anew(form, overtaken, case, fields)
        return _page(request, prompt, form, case, status=overtaken.status)
    except Refusal as refusal:
        form.error, form.wrong = refusal.message, refusal.param or ""
        return _page(request, prompt, form, case, sent=sent, status=422)
    return go(request, reverse("evals:tests", args=[prompt.slug]), f"Saved the test {form.name}.")


def _declared(prompt: Prompt) -> list[Mapping[str, Any]]:
    assert prompt.head is not None
    prompt.head.prompt = prompt
    return variables_of(prompt.head)


def _page(
    request: TeamRequest,
    prompt: Prompt,
    form: CaseForm,
    case: TestCase | None = None,
    *,
    sent: Sent | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "active": "prompts",
        "prompt": prompt,
        "case": case,
        "form": form,
        "sent": sent if sent and sent.answers else None,
        "fields": [{**one, "text": form.values.get(one["name"], "")} for one in _declared(prompt)],
        "kinds": KINDS.items(),
        "aliases": aliases_for(request.caller, prompt.team).values_list("name", flat=True),
        "can_add": len(form.checks) < MOST_CHECKS,
    }
    return render(request, "evals/case.html", context, status=status)
