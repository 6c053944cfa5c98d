"""The rules of an alias (two-person approval, passing tests), and decisions on proposals."""

import uuid

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from console.catalog import access
from console.catalog.forms.proposals import ApproveForm, RejectForm, RuleForm, TestsForm
from console.catalog.models import PinProposal
from console.catalog.services import aliases, pins
from console.core.forms import posted, refusals_at
from console.core.htmx import go
from console.teams.access import OPERATOR, needs
from console.teams.callers import TeamRequest
from console.teams.views.questions import Question, ask


@needs(OPERATOR)
def second_person(request: TeamRequest, name: str) -> HttpResponse:
    """Have two people agree on changes of this alias, or propose that one is enough again."""
    alias = access.alias_for(request.caller, name)
    form = RuleForm(posted(request), is_on=alias.needs_second_person)
    if form.is_valid():
        actor, message = request.caller.actor, f"Changes of {name} in production wait for a second person now."
        with refusals_at(form):
            if alias.needs_second_person:
                pins.ask_to_lift_rule(actor=actor, alias=alias, reason=form.cleaned_data["reason"])
                message = "Proposed. The rule ends when somebody else approves."
            else:
                aliases.require_second_person(actor=actor, alias=alias)
            return go(request, reverse("catalog:alias", args=[name]), message)
    text = "Changes of its production pin wait until somebody else agrees. Lifting that is a change like these."
    if not alias.needs_second_person:
        text = (
            "From then on, changes of its production pin wait until another operator agrees. Rolling back and ending a"
            " canary never wait. One person cannot lift the rule alone."
        )
    return _ask(request, form, name, f"Two people for {name}", text=text)


@needs(OPERATOR)
def tests_rule(request: TeamRequest, name: str) -> HttpResponse:
    """Have the alias move in production only where its tests hold, or end that."""
    alias = access.alias_for(request.caller, name)
    form = TestsForm(posted(request), is_on=alias.needs_tests)
    if form.is_valid():
        given = {"is_required": not alias.needs_tests, "reason": form.cleaned_data.get("reason", "")}
        with refusals_at(form):
            aliases.require_tests(actor=request.caller.actor, alias=alias, **given)
            message = (
                f"{name} moves in production when its tests hold now."
                if given["is_required"]
                else f"{name} moves in production without tests again."
            )
            return go(request, reverse("catalog:alias", args=[name]), message)
    text = "From then on, its production pin moves to any version again, whatever the tests say."
    if not alias.needs_tests:
        text = (
            "From then on, its production pin moves to another version only when the tests that are scheduled on it"
            " were run on that version within a day, and hold. Rolling back never waits, and a canary for some calls"
            " may try any."
        )
    return _ask(request, form, name, f"Tests before {name} moves", text=text)


@needs(OPERATOR)
def approve_proposal(request: TeamRequest, proposal_id: uuid.UUID) -> HttpResponse:
    proposal = access.proposal_for(request.caller, proposal_id)
    form = ApproveForm(posted(request))
    name = proposal.alias.name
    if form.is_valid():
        with refusals_at(form):
            pins.approve_proposal(actor=request.caller.actor, proposal=proposal, reason=form.cleaned_data["reason"])
            return go(request, reverse("catalog:alias", args=[name]), f"Approved. {name} is changed.")
    return _ask(request, form, name, f"Approve a change of {name}", proposal=proposal)


@needs(OPERATOR)
def reject_proposal(request: TeamRequest, proposal_id: uuid.UUID) -> HttpResponse:
    """Reject what somebody else proposed, or take one's own proposal back."""
    proposal = access.proposal_for(request.caller, proposal_id)
    is_mine = request.caller.user is not None and proposal.proposed_by_id == request.caller.user.pk
    form = RejectForm(posted(request), is_mine=is_mine)
    name = proposal.alias.name
    if form.is_valid():
        with refusals_at(form):
            pins.reject_proposal(actor=request.caller.actor, proposal=proposal, reason=form.cleaned_data["reason"])
            message = "Withdrawn. Nothing changes." if is_mine else "Rejected. Nothing changes."
            return go(request, reverse("catalog:alias", args=[name]), message)
    title = f"Withdraw your proposal for {name}" if is_mine else f"Reject a change of {name}"
    return _ask(request, form, name, title, proposal=proposal)


def _ask(
    request: TeamRequest,
    form: ApproveForm | RejectForm | RuleForm | TestsForm,
    name: str,
    title: str,
    *,
    text: str = "",
    proposal: PinProposal | None = None,
) -> HttpResponse:
    question = Question(
        title=title,
        text=text,
        verb=form.action,
        back=reverse("catalog:alias", args=[name]),
        active="models",
        back_label=name,
        is_destructive=form.is_destructive,
        about=render_to_string("catalog/_proposal.html", {"proposal": proposal}) if proposal else "",
    )
    return ask(request, question, form)
