"""Ask a run why: the exact model that decided answers from the recorded steps, without tools."""

import uuid
from typing import Any

from agents_app import explanations
from agents_app.errors import CannotExplain, Forgotten
from agents_app.models import Run, RunQuestion, Step
from console.audit.models import EventType
from console.catalog.models import ModelVersion
from console.core.errors import BadInput
from console.core.lanes import Lane
from console.gateway import pipeline, sync
from console.gateway.answer_reader import AnswerReader
from console.gateway.asks import own_ask
from console.gateway.identity import PersonIdentity
from console.gateway.snapshot import Snapshot
from console.gateway.types import Ask, Asker, Call
from console.teams.actors import Actor
from console.teams.models import User

LONGEST_QUESTION = 4_000
_MOST_STEPS = 400


class _ExactPerson:
    """The person who asks, for the team that paid for the run. They may call the one version the run used."""

    def __init__(self, user_id: uuid.UUID, run: Run) -> None:
        self._person = PersonIdentity(user_id, run.team_id, run.environment)

    def __call__(self, snapshot: Snapshot) -> Asker:
        return self._person(snapshot)._replace(may_call_exact=True)


def ask_run(*, actor: Actor, user: User, run: Run, question: str) -> RunQuestion:
    """Ask and keep the answer; raises Refusal or ProviderError, and then nothing is kept. Waits for the model."""
    question = question.replace("\x00", "").strip()
    if not question or len(question) > LONGEST_QUESTION:
        raise BadInput(f"Ask in 1 to {LONGEST_QUESTION:,} characters.", param="question")
    if run.forgotten_at is not None:
        raise Forgotten
    steps = list(Step.objects.filter(run=run).order_by("number")[:_MOST_STEPS])
    version = _version_of(steps)
    newest = RunQuestion.objects.filter(run=run).order_by("-created_at", "-id")
    earlier = list(newest[: explanations.MOST_EARLIER])[::-1]
    messages = explanations.messages(run, steps, earlier, question, context_tokens=version.context_tokens or 8_192)
    body = {
        "model": f"{version.provider.slug}/{version.name}",
        "messages": messages,
        "max_tokens": explanations.LONGEST_ANSWER,
    }
    ask = _ask(body, actor, run)
    call, answer = sync.run(_answer(_ExactPerson(user.pk, run), ask, run))
    return RunQuestion.objects.create(
        run=run,
        asked_by=user,
        asked_by_name=actor.name[:200],
        question=question,
        answer=AnswerReader().read(answer),
        model=call.plan.version.label,
        request_id=ask.id,
        cost_micros=call.cost_micros,
    )


def _version_of(steps: list[Step]) -> ModelVersion:
    """Return the exact version that made the run's last decision."""
    label = next((step.model for step in reversed(steps) if step.kind == Step.Kind.MODEL and step.model), "")
    if not label:
        raise CannotExplain("No model has decided anything in this run yet.")
    slug, _, name = label.partition("/")
    found = ModelVersion.objects.select_related("provider").filter(provider__slug=slug, name=name).first()
    if found is None or found.retired_at is not None:
        raise CannotExplain(f"{label} decided in this run and is retired, so it cannot be asked any more.")
    return found


def _ask(body: dict[str, Any], actor: Actor, run: Run) -> Ask:
    return own_ask(
        "chat",
        body,
        surface="agent",
        route="ask",
        lane=Lane.INTERACTIVE,
        type=EventType.QUESTION.value,
        client_address=actor.client_address,
        client_request_id=run.public_id,  # as its steps are, so that the log finds both by it
    )


async def _answer(identify: _ExactPerson, ask: Ask, run: Run) -> tuple[Call, bytes]:
    call = await pipeline.open_call(identify, ask)
    call.notes["run"] = run.public_id
    return call, await pipeline.answer(call)
