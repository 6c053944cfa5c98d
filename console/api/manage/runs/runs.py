"""Runs of agents. Callers use /v1/agents/{slug}/runs instead."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Run, RunQuestion, Step
from agents_app.queries import comparison
from agents_app.queries.run_page import MOST_QUESTIONS
from agents_app.queries.run_state import run_said
from agents_app.queries.runs import FILTERS
from agents_app.queries.trace import TraceRow
from agents_app.services import questions, reruns
from agents_app.services import runs as services
from console.api.manage.base import Endpoint, Strict, listed
from console.api.manage.runs.shapes import (
    RunComparisonSerializer,
    RunDetailSerializer,
    RunQuestionSerializer,
    RunSerializer,
    RunStepSerializer,
)
from console.api.pagination import page_of
from console.core.errors import BadInput, NotAllowed, NotFound
from console.teams.models import Environment

_AT_HAND = ("agent__team", "team", "version")
_STATES = list(dict.fromkeys([*FILTERS, *Run.State.values]))


class NewRunSerializer(Strict):
    agent = serializers.CharField(help_text="The agent's short name.")
    input = serializers.DictField(required=False, default=dict, help_text="What its input schema asks for: a message.")
    environment = serializers.ChoiceField(
        Environment.choices, required=False, help_text="production unless given; a key's own."
    )
    version = serializers.IntegerField(required=False, help_text="An older version, for who builds the agent.")
    draft = serializers.BooleanField(required=False, default=False, help_text="Try the draft out; for who builds it.")
    simulated = serializers.BooleanField(
        required=False, default=False, help_text="Of a draft: a person says what each tool would answer."
    )
    step_by_step = serializers.BooleanField(
        required=False, default=False, help_text="Of a draft: it waits for a person before each step."
    )


class RunAgainFromSerializer(Strict):
    step = serializers.IntegerField(
        required=False, help_text="A question to the model: what came before is taken over. Unless given, all anew."
    )


class NewRunQuestionSerializer(Strict):
    question = serializers.CharField(trim_whitespace=False)


class RunQuestionsSerializer(serializers.Serializer[Any]):
    data = RunQuestionSerializer(many=True)  # type: ignore[assignment]


class RunEndpoint(Endpoint):
    """A view of runs: seen by whoever started them and whoever sees the log of the agent's team."""

    needs = "view_team"

    def run(self, run_id: str, to: str = "view") -> Run:
        return access.run_for(self.caller, run_id, to)

    def readable(self, run_id: str) -> Run:
        """Return a run whose content the caller may see."""
        run = self.run(run_id)
        if not access.may_read(self.caller, run):
            raise NotAllowed(
                "Only the person who started the run, and people who may read content, can see what it did."
            )
        return run

    def origin(self, trigger: str) -> services.Origin:
        """Return what starts a run from here."""
        called_by = run_said(self.request.headers.get("x-facet-run", "")[:60])
        return services.Origin(trigger, called_by=called_by)

    def answer(self, run: Run, *, status: int = 200) -> Response:
        row = Run.objects.select_related(*_AT_HAND).get(pk=run.pk)
        return Response(RunDetailSerializer(row, context={"caller": self.caller}).data, status=status)


class Runs(RunEndpoint):
    needs_to = {"POST": "use_models"}

    @extend_schema(
        operation_id="list_runs",
        summary="List runs, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Of this team's agents."),
            OpenApiParameter("agent", str, description="Of this agent."),
            OpenApiParameter("state", str, enum=_STATES),
            OpenApiParameter("trigger", str, enum=Run.Trigger.values),
        ],
        responses=listed(RunSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = self.of_team(access.runs_for(self.caller).select_related(*_AT_HAND), "agent__team")
        if agent := request.query_params.get("agent"):
            rows = rows.filter(agent__slug=agent)
        if state := self.choice("state", _STATES):
            rows = rows.filter(state__in=FILTERS[state][1] if state in FILTERS else [state])
        if trigger := self.choice("trigger", Run.Trigger.values):
            rows = rows.filter(trigger=trigger)
        runs, after = page_of(request, rows)
        return Response({"data": RunSerializer(runs, many=True, context={"caller": self.caller}).data, "next": after})

    @extend_schema(
        operation_id="start_run",
        summary="Start a run of what is live, or try a draft out",
        request=NewRunSerializer,
        responses={201: RunDetailSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewRunSerializer)
        is_draft, number = body["draft"], body.get("version")
        agent = access.agent_for(self.caller, body["agent"], "edit" if is_draft or number else "use")
        if not is_draft and (body["simulated"] or body["step_by_step"]):
            raise BadInput("Only drafts are simulated or taken step by step; say draft: true.", param="draft")
        if is_draft and number:
            raise BadInput("A run is of the draft or of a version, not of both.", param="version")
        run = services.start_run(
            actor=self.actor,
            agent=agent,
            input=body["input"],
            environment=self.environment(body.get("environment")),
            origin=self.origin(Run.Trigger.TRY_OUT if is_draft else Run.Trigger.API),
            definition=agent.draft if is_draft else access.version_for(agent, number) if number else None,
            is_simulated=body["simulated"],
            is_step_by_step=body["step_by_step"],
        )
        return self.answer(run, status=201)


class OneRun(RunEndpoint):
    @extend_schema(
        operation_id="run",
        summary="Show a run with its steps, decisions and costs",
        responses=RunDetailSerializer,
    )
    def get(self, request: Any, run_id: str) -> Response:
        return self.answer(self.run(run_id))


class Cancel(RunEndpoint):
    @extend_schema(
        operation_id="cancel_run",
        summary="Stop a run; one that is over stays as it is",
        request=None,
        responses=RunDetailSerializer,
    )
    def post(self, request: Any, run_id: str) -> Response:
        run = self.run(run_id, "cancel")
        services.cancel_run(actor=self.actor, run=run)
        return self.answer(run)


class Again(RunEndpoint):
    needs = "use_models"

    @extend_schema(
        operation_id="run_again",
        summary="Run the same version again with the same input, all of it or from a step",
        request=RunAgainFromSerializer,
        responses={201: RunDetailSerializer},
    )
    def post(self, request: Any, run_id: str) -> Response:
        run = self.readable(run_id)
        body = self.read(RunAgainFromSerializer)
        agent = access.agent_for(self.caller, run.agent.slug, "use")
        self.environment(run.environment)
        origin = self.origin(Run.Trigger.API)
        if "step" in body:
            new = reruns.rerun_from(actor=self.actor, agent=agent, run=run, number=body["step"], origin=origin)
        else:
            new = reruns.rerun(actor=self.actor, agent=agent, run=run, origin=origin)
        return self.answer(new, status=201)


class Compare(RunEndpoint):
    @extend_schema(
        operation_id="compare_runs",
        summary="Two runs beside each other, step by step",
        parameters=[OpenApiParameter("with", str, description="The other run; the one it repeats, or the one before.")],
        responses=RunComparisonSerializer,
    )
    def get(self, request: Any, run_id: str) -> Response:
        run, visible = self.run(run_id), access.runs_for(self.caller)
        other_id = request.query_params.get("with", "")
        other = self.run(other_id) if other_id else comparison.neighbour(run, visible)
        if other is None:
            raise NotFound("There is no run to compare this one with; name one by ?with=.")
        may_read = {side.pk: access.may_read(self.caller, side) for side in (other, run)}
        found = comparison.comparison(other, run, with_content=all(may_read.values()))

        def step(row: TraceRow | None, of: Run) -> Any:
            return RunStepSerializer(row.step, context={"may_read": may_read[of.pk]}).data if row else None

        context = {"caller": self.caller}
        return Response(
            {
                "old": RunSerializer(other, context=context).data,
                "new": RunSerializer(run, context=context).data,
                "figures": [{"name": name, "old": old, "new": new} for name, old, new, _ in found.figures],
                "steps": [
                    {"is_same": pair.is_same, "old": step(pair.old, other), "new": step(pair.new, run)}
                    for pair in found.pairs
                ],
            }
        )


class Questions(RunEndpoint):
    needs_to = {"POST": "use_models"}
    # The answer is a model's, so no transaction is open meanwhile.
    calls_out = True

    def _shown(self, run: Run, rows: list[RunQuestion]) -> Any:
        numbers = frozenset(Step.objects.filter(run=run).values_list("number", flat=True))
        return RunQuestionSerializer(rows, many=True, context={"numbers": numbers}).data

    @extend_schema(
        operation_id="list_run_questions",
        summary="List what a run was asked and what it answered, oldest first",
        responses=RunQuestionsSerializer,
    )
    def get(self, request: Any, run_id: str) -> Response:
        run = self.readable(run_id)
        newest = RunQuestion.objects.filter(run=run).order_by("-created_at", "-id")[:MOST_QUESTIONS]
        return Response({"data": self._shown(run, list(newest)[::-1])})

    @extend_schema(
        operation_id="ask_run",
        summary="Ask a run why; waits for the model that decided, which can call no tool",
        request=NewRunQuestionSerializer,
        responses={201: RunQuestionSerializer},
    )
    def post(self, request: Any, run_id: str) -> Response:
        run = self.readable(run_id)
        if self.caller.user is None:
            raise NotAllowed("Runs are asked by people; a key cannot.", code="person_required")
        question = questions.ask_run(
            actor=self.actor, user=self.caller.user, run=run, question=self.read(NewRunQuestionSerializer)["question"]
        )
        return Response(self._shown(run, [question])[0], status=201)


urlpatterns = [
    path("runs/", Runs.as_view(), name="runs"),
    path("runs/<slug:run_id>/", OneRun.as_view(), name="run"),
    path("runs/<slug:run_id>/cancel/", Cancel.as_view(), name="cancel_run"),
    path("runs/<slug:run_id>/again/", Again.as_view(), name="run_again"),
    path("runs/<slug:run_id>/compare/", Compare.as_view(), name="compare_runs"),
    path("runs/<slug:run_id>/questions/", Questions.as_view(), name="run_questions"),
]
