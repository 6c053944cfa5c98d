"""Write the demo's runs as if they had happened: decisions by the function that decides, calls in the log as any."""

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from agents_app.definition import run_limits
from agents_app.engine.tool_records import note_call, version_name
from agents_app.grants.decision import Decision, decide
from agents_app.grants.digest import digest_of
from agents_app.grants.parsing import grants_of
from agents_app.instructions import rendered
from agents_app.models import Agent, Approval, Run, RunQuestion, Step, Tool
from console.audit.models import EventType
from console.audit.services import record_call
from console.catalog.models import Pin, Price
from console.core.clock import now
from console.core.lanes import Lane
from console.pages.demo.ids import id_at
from console.pages.demo.traces import TRACES, Asked, MadeCall, Question, Trace, Turn
from console.teams.models import User

_CODE = "upstream_error"


@dataclass(slots=True)
class _Writer:
    """One run on its way: the time it has come to, and the number of its next step."""

    run: Run
    pin: Pin
    price: Price
    people: dict[str, User]
    at: dt.datetime
    number: int = 0

    def step(self, turn: int, kind: str, **fields: Any) -> Step:
        self.number += 1
        return Step(run=self.run, number=self.number, turn=turn, kind=kind, created_at=self.at, **fields)

    def cost_of(self, tokens: tuple[int, int]) -> int:
        return round(tokens[0] * float(self.price.input) + tokens[1] * float(self.price.output))


def make_runs(people: dict[str, User]) -> None:
    """Write what the demo's agents did. Called once, together with the calls of the demo."""
    for trace in TRACES:
        _make(trace, people)


def _make(trace: Trace, people: dict[str, User]) -> None:
    agent = Agent.objects.select_related("team", "live").get(slug=trace.agent, team__is_demo=True)
    version, person = agent.live, people[trace.by]
    assert version is not None
    filled = rendered(agent.team_id, version)
    assert filled is not None
    began = now() - dt.timedelta(minutes=trace.minutes_ago)
    pin = Pin.objects.select_related("model_version__provider").get(alias__name=version.alias, environment="production")
    run = Run.objects.create(
        id=id_at(began),
        agent=agent,
        team=agent.team,
        version=version,
        prompt={"id": version.prompt_slug, "version": filled.version.number, "variables": version.prompt_variables},
        environment="production",
        title=trace.message[:120],
        input={"message": trace.message},
        actor_kind="user",
        actor_id=person.pk,
        actor_name=person.name,
        trigger=trace.trigger,
        trigger_name=trace.trigger_name,
        state=Run.State.RUNNING,
        limits=run_limits(version),
        created_at=began,
        started_at=began,
    )
    price = Price.objects.filter(model_version=pin.model_version).latest("effective_from")
    writer = _Writer(run, pin, price, people, began)
    for number, turn in enumerate(trace.turns, 1):
        _turn(writer, number, turn)
    _end(writer, trace)
    for question in trace.questions:
        _question(writer, question)


def _turn(writer: _Writer, number: int, turn: Turn) -> None:
    asked_at = writer.at
    cost = writer.cost_of(turn.tokens)
    calls = [(f"call_{number}_{place}", call) for place, call in enumerate(turn.calls, 1)]
    message: dict[str, Any] = {"role": "assistant", "content": turn.says}
    if calls:
        message["tool_calls"] = [_as_called(identifier, call) for identifier, call in calls]
    step = writer.step(
        number,
        Step.Kind.MODEL,
        state=Step.State.FAILED if turn.trouble else Step.State.DONE,
        output=None if turn.trouble else {"message": message, "finish": "tool_calls" if calls else "stop"},
        trouble=turn.trouble,
        note=_CODE if turn.trouble else _note(turn),
        request_id=id_at(asked_at),
        model=str(writer.pin.model_version),
        prompt_tokens=turn.tokens[0],
        completion_tokens=turn.tokens[1],
        cost_micros=cost,
        attempts=1,
        intended_at=asked_at,
    )
    writer.at += dt.timedelta(seconds=turn.took_s)
    step.ended_at = writer.at
    step.save()
    _log_model(writer, step, turn)
    run = writer.run
    run.model_calls += 1
    run.steps_done += 1
    run.tokens += sum(turn.tokens)
    run.cost_micros += cost
    ends = [_call(writer, number, identifier, call, turn.says) for identifier, call in calls]
    writer.at = max([writer.at, *ends])


def _as_called(identifier: str, call: MadeCall) -> dict[str, Any]:
    function = {"name": call.tool, "arguments": json.dumps(call.arguments)}
    return {"id": identifier, "type": "function", "function": function}


def _note(turn: Turn) -> str:
    return "Wants " + ", ".join(call.tool for call in turn.calls) if turn.calls else "Answered"


def _call(writer: _Writer, turn: int, identifier: str, call: MadeCall, why: str) -> dt.datetime:
    """Write one call and return when it ended; calls of one turn begin together."""
    run, tool = writer.run, Tool.objects.get(team=writer.run.agent.team, slug=call.tool, deleted_at=None)
    assert run.version is not None
    decision = decide(
        name=call.tool,
        grant=grants_of(run.version.grants).get(call.tool),
        tool=tool,
        arguments=call.arguments,
        calls_before=0,
    )
    step = writer.step(
        turn,
        Step.Kind.TOOL,
        tool=tool,
        tool_name=call.tool,
        call_id=identifier,
        arguments=call.arguments,
        decisions=[decision.as_kept()],
        state=Step.State.WAITING if call.asked else Step.State.PLANNED,
    )
    step.save()
    began = _answered(writer, step, call.asked, decision, why) if call.asked else writer.at
    if began is None:
        return writer.at
    if step.state == Step.State.DENIED:
        step.ended_at = began
        step.save()
        note_call(run, step, status="refused", code="denied_approval", reason=step.trouble, closed_at=began)
        run.steps_done += 1
        return began
    ended = began + dt.timedelta(seconds=call.took_s)
    step.state, step.output, step.attempts = Step.State.DONE, {"content": call.result}, 1
    step.intended_at, step.ended_at, step.request_id = began, ended, id_at(began)
    step.save()
    note_call(run, step, status="ok", output=call.result, closed_at=ended)
    run.tool_calls += 1
    run.steps_done += 1
    return ended


def _answered(writer: _Writer, step: Step, asked: Asked | None, decision: Decision, why: str) -> dt.datetime | None:
    """Write what a person was asked, and return when they answered; None while nobody has."""
    assert asked is not None
    run, seconds = writer.run, writer.run.limits["approval_seconds"]
    person = writer.people.get(asked.by)
    decided = writer.at + dt.timedelta(seconds=asked.after_s) if person else None
    state = Approval.State.APPROVED if asked.is_approved else Approval.State.REJECTED
    assert run.version is not None
    grant = grants_of(run.version.grants)[step.tool_name]
    Approval.objects.create(
        team=run.agent.team,
        run=run,
        step=step,
        state=state if person else Approval.State.WAITING,
        tool_name=step.tool_name,
        arguments=step.arguments,
        sha256=digest_of(run, step, step.arguments),
        editable=list(grant.editable),
        rule=decision.rule,
        reason=why,
        cost_micros=run.cost_micros,
        expires_at=writer.at + dt.timedelta(seconds=seconds),
        message=asked.message,
        decided_by=person,
        decided_by_name=person.name if person else "",
        decided_at=decided,
        created_at=writer.at,
        told_at=writer.at,
    )
    if person:
        text = f"{person.name}: {state.label}. {asked.message}".strip()
        effect = "allow" if asked.is_approved else "deny"
        step.decisions = [*step.decisions, {"effect": effect, "rule": "approval", "reason": text}]
    if person and not asked.is_approved:
        step.state, step.is_error = Step.State.DENIED, True
        step.trouble = step.note = f"A person refused this call. {asked.message}".strip()
    return decided


def _end(writer: _Writer, trace: Trace) -> None:
    run, last = writer.run, trace.turns[-1]
    waiting = next((call for call in last.calls if call.asked and not call.asked.by), None)
    if waiting is not None:
        run.state, run.waits_for, run.waiting_since = Run.State.WAITING, waiting.tool, writer.at
        run.wake_at = writer.at + dt.timedelta(seconds=run.limits["approval_seconds"])
    elif last.trouble:
        run.state, run.code, run.trouble, run.ended_at = Run.State.FAILED, _CODE, last.trouble, writer.at
    else:
        run.state, run.output, run.ended_at = Run.State.SUCCEEDED, {"text": last.says}, writer.at
    run.save()


def _log_model(writer: _Writer, step: Step, turn: Turn) -> None:
    """Append the line of one call of the model, as the pipeline would have."""
    run, version = writer.run, writer.pin.model_version
    assert step.request_id is not None and step.intended_at is not None and step.ended_at is not None
    record_call(
        step.request_id,
        at=step.intended_at,
        closed_at=step.ended_at,
        type=EventType.AGENT,
        status="error" if turn.trouble else "ok",
        http_status=502 if turn.trouble else 200,
        code=_CODE if turn.trouble else "",
        input=json.dumps({"model": run.version.alias if run.version else "", "messages": [run.input]}),
        output=None if step.output is None else json.dumps(step.output["message"]),
        team_id=run.team_id,
        team=run.team.name,
        actor_kind=run.actor_kind,
        actor_id=run.actor_id,
        actor=run.actor_name,
        environment=run.environment,
        lane=Lane.STANDARD,
        surface="agent",
        agent=version_name(run),
        client_request_id=run.public_id,
        alias=run.version.alias if run.version else "",
        model=str(version),
        model_version_id=version.pk,
        attempts=3 if turn.trouble else 1,
        prompt_tokens=turn.tokens[0],
        completion_tokens=turn.tokens[1],
        cost_micros=step.cost_micros,
    )


def _question(writer: _Writer, question: Question) -> None:
    person = writer.people[question.by]
    RunQuestion.objects.create(
        run=writer.run,
        asked_by=person,
        asked_by_name=person.name,
        question=question.text,
        answer=question.answer,
        model=str(writer.pin.model_version),
        cost_micros=writer.cost_of((2_600, 80)),
        created_at=writer.at + dt.timedelta(minutes=2),
    )
