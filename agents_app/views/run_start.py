"""Start a run from the console, with a form made from the agent's input schema."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from agents_app import access
from agents_app.errors import NotReady
from agents_app.models import Definition, Run
from agents_app.queries.approvals import Field, fields_of
from agents_app.readiness import problems
from agents_app.services.runs import MESSAGE_SCHEMA, Origin, start_run
from agents_app.views.frame import frame
from console.core import strict_json
from console.core.errors import BadInput, Refusal
from console.core.htmx import go
from console.teams.access import needs
from console.teams.callers import TeamRequest
from console.teams.models import Environment


@needs("use_models")
def start(request: TeamRequest, slug: str) -> HttpResponse:
    """Run what is live, or try the draft out: with real tools or simulated ones, straight through or step by step."""
    agent = access.agent_for(request.caller, slug)
    may_try = access.may(request.caller, agent, "edit")
    may_run = agent.live is not None and access.may(request.caller, agent, "use")
    if not may_try and not may_run:
        raise PermissionDenied("You may not run this agent. An owner of its team can change that.")
    wants_draft = request.POST.get("what", request.GET.get("what", "")) == "draft" or not may_run
    is_draft = may_try and wants_draft
    definition: Definition = agent.draft if is_draft or agent.live is None else agent.live
    fields = fields_of(definition.input_schema or MESSAGE_SCHEMA)
    lacks = {one: problems(agent.team, agent.draft, one) if is_draft else [] for one in Environment.values}
    trouble = ""
    if request.method == "POST":
        try:
            if found := lacks.get(request.POST.get("environment", Environment.PRODUCTION)):
                raise NotReady(found)
            run = start_run(
                actor=request.caller.actor,
                agent=agent,
                input=read_fields(fields, request.POST),
                environment=request.POST.get("environment", Environment.PRODUCTION),
                origin=Origin(Run.Trigger.TRY_OUT if is_draft else Run.Trigger.CONSOLE),
                definition=agent.draft if is_draft else None,
                is_simulated=is_draft and request.POST.get("tools") == "simulated",
                is_step_by_step=is_draft and bool(request.POST.get("step_by_step")),
            )
        except Refusal as refusal:
            trouble = refusal.message
        else:
            return go(request, reverse("agents:run", args=[run.public_id]), "Started the run.")
    context = {
        **frame(request, agent, "start"),
        "fields": [(field, request.POST.get(f"answer-{field.name}", "")) for field in fields],
        "environments": [(value, label) for value, label in Environment.choices if not lacks[value]],
        "is_draft": is_draft,
        "may_try": may_try,
        "may_run": may_run,
        "trouble": trouble,
    }
    return render(request, "agents/start.html", context, status=422 if trouble else 200)


def read_fields(fields: list[Field], data: Any) -> dict[str, Any]:
    """Return what a form made of a schema came to; what is left empty is left out."""
    found: dict[str, Any] = {}
    for field in fields:
        text = data.get(f"answer-{field.name}", "")
        if field.kind == "boolean":
            found[field.name] = bool(text)
        elif not text.strip():
            continue
        elif field.kind in {"number", "json"}:
            try:
                found[field.name] = strict_json.typed(text, field.label)
            except BadInput as wrong:
                message = f"{field.label} must be a {field.kind}, not {text[:60]}. {wrong.message}"
                raise BadInput(message, param=field.name) from None
        else:
            found[field.name] = text
    return found
