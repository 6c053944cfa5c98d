"""One run for its page: the parts of steps, cost, approvals and questions."""

import json
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from agents_app.explanations import cited, message_of
from agents_app.models import Approval, Run, RunQuestion, Step

MOST_QUESTIONS = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a step holds, as people read it."""

    title: str
    text: str


def parts_of(step: Step) -> list[Part]:
    """Return what went in and what came out."""
    found = []
    if step.arguments is not None:
        found.append(Part("Arguments", laid_out(step.arguments)))
    output = step.output
    if step.kind == Step.Kind.MODEL:
        message = message_of(step)
        if message.get("content"):
            found.append(Part("Said", str(message["content"])))
        calls = message.get("tool_calls") or []
        found += [Part(f"Asked for {_name(call)}", laid_out(_arguments(call))) for call in calls]
        if isinstance(output, dict) and output.get("feedback"):
            found.append(Part("Told why that does not do", str(output["feedback"])))
    elif isinstance(output, dict) and isinstance(output.get("content"), str):
        found.append(Part("Result", _text(output["content"])))
    elif output is not None:
        found.append(Part("Result", _text(output) if isinstance(output, str) else laid_out(output)))
    return found


def _name(call: Any) -> str:
    return str(call.get("function", {}).get("name", "")) if isinstance(call, dict) else ""


def _arguments(call: Any) -> Any:
    raw = call.get("function", {}).get("arguments", "") if isinstance(call, dict) else ""
    try:
        return json.loads(raw)
    except (TypeError, ValueError, RecursionError):
        return raw


def laid_out(value: Any) -> str:
    """Return JSON as people read it; a text as it is."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def input_text(values: dict[str, Any]) -> str:
    """Return what a run was given as people read it: a message alone as its words, more than that by name."""
    return laid_out(values["message"] if set(values) == {"message"} else values)


def outcome(output: Any) -> str:
    """Return what a run came to as people read it: the value its schema asked for, or its words."""
    if isinstance(output, dict):
        output = output.get("value", output.get("text", output))
    return "" if output is None else laid_out(output)


def _text(text: str) -> str:
    """Lay JSON out; leave every other text as it is."""
    try:
        return laid_out(json.loads(text))
    except (ValueError, RecursionError):  # a server's words, which may nest without end
        return text


def step_of(run: Run, number: int) -> Step | None:
    return Step.objects.filter(run=run, number=number).select_related("tool").first()


def open_approvals(run: Run, visible: QuerySet[Approval]) -> list[Approval]:
    """Return what the run waits for, the most pressing first; `visible` are the approvals of whoever looks."""
    rows = visible.filter(run=run, state=Approval.State.WAITING)
    return list(rows.select_related("run__agent__team", "run__version", "step", "team").order_by("expires_at", "pk"))


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question about a run; the answer in pieces: texts, and the numbers of the steps they cite."""

    question: RunQuestion
    pieces: list[tuple[str, int | None]]


def questions_of(run: Run) -> list[AnsweredQuestion]:
    numbers = frozenset(Step.objects.filter(run=run).values_list("number", flat=True))
    asked = list(RunQuestion.objects.filter(run=run).order_by("-created_at", "-id")[:MOST_QUESTIONS])[::-1]
    return [AnsweredQuestion(one, cited(one.answer, numbers)) for one in asked]
