"""Tests of a prompt: cases, runs and results."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Strict, listed, seen_revision
from console.api.manage.prompts.base import PromptEndpoint
from console.core.connections import let_go
from console.evals import access
from console.evals.checks import title_of
from console.evals.models import TestCase, TestResult, TestRun
from console.evals.services import cases, runs
from console.gateway import sync
from console.playground import answer_checks
from console.teams.access import denied
from console.teams.models import Environment
from prompts_app.models import Prompt


class TestCaseChangeSerializer(Strict):
    name = serializers.CharField(max_length=100)
    variables = serializers.DictField(default=dict)
    message = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    expected = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    checks = serializers.ListField(
        child=serializers.DictField(),
        help_text="kind (equals, contains, not_contains, json_schema, similarity, judge), value, threshold, alias",
    )


class TestCaseReplaceSerializer(TestCaseChangeSerializer):
    seen_revision = seen_revision()


class TestCaseSerializer(serializers.ModelSerializer[TestCase]):
    class Meta:
        model = TestCase
        fields = (
            "id",
            "name",
            "variables",
            "message",
            "expected",
            "checks",
            "revision",
            "changed_by_name",
            "changed_at",
        )


class TestCaseAnswerSerializer(Strict):
    answer = serializers.CharField(max_length=100_000, allow_blank=True, trim_whitespace=False)
    environment = serializers.ChoiceField(
        Environment.choices, required=False, help_text="Where checks ask models: production unless given; a key's own."
    )


class TestVerdictSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    passed = serializers.BooleanField()
    reason = serializers.CharField()
    was_made = serializers.BooleanField(help_text="False where the check could not be made, which is no pass.")


class TestVerdictsSerializer(serializers.Serializer[Any]):
    passed = serializers.BooleanField(help_text="Whether all did.")
    verdicts = TestVerdictSerializer(many=True)


class TestRunStartSerializer(Strict):
    version = serializers.IntegerField(min_value=1)
    model = serializers.CharField(max_length=200, help_text="alias, alias@sandbox, or provider/name")


class TestRunSerializer(serializers.ModelSerializer[TestRun]):
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = TestRun
        fields = (
            *("id", "version", "model", "environment", "status", "started_by_name", "started_at", "finished_at"),
            *("not_before", "waits_for"),
        )


class TestResultSerializer(serializers.ModelSerializer[TestResult]):
    class Meta:
        model = TestResult
        fields = (
            *("id", "case", "name", "status", "output", "checks", "error"),
            *("request_id", "tokens", "cost_micros", "latency_us"),
        )


class TestEndpoint(PromptEndpoint):
    """A view below the tests of one prompt, which are the owning team's alone."""

    __test__ = False

    def prompt(self, slug: str, to: str = "view") -> Prompt:
        return access.prompt_for(self.caller, slug, to)


class Cases(TestEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_test_cases",
        summary="List the tests of a prompt",
        responses=listed(TestCaseSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        return self.page(TestCase.objects.filter(prompt=self.prompt(slug)), TestCaseSerializer)

    @extend_schema(
        operation_id="create_test_case",
        summary="Add a test",
        request=TestCaseChangeSerializer,
        responses={201: TestCaseSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        case = cases.create_case(actor=self.actor, prompt=prompt, **self.read(TestCaseChangeSerializer))
        return Response(TestCaseSerializer(case).data, status=201)


class OneCase(TestEndpoint):
    needs_to = {"PUT": "build", "DELETE": "build"}

    @extend_schema(operation_id="show_test_case", summary="Show a test", responses=TestCaseSerializer)
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return Response(TestCaseSerializer(access.case_for(self.prompt(slug), pk)).data)

    @extend_schema(
        operation_id="change_test_case",
        summary="Change a test",
        request=TestCaseReplaceSerializer,
        responses=TestCaseSerializer,
    )
    def put(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        case = access.case_for(self.prompt(slug, "edit"), pk)
        changed = cases.change_case(actor=self.actor, case=case, **self.read(TestCaseReplaceSerializer))
        return Response(TestCaseSerializer(changed).data)

    @extend_schema(operation_id="delete_test_case", summary="Remove a test", responses={204: None})
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        cases.delete_case(actor=self.actor, case=access.case_for(self.prompt(slug, "edit"), pk))
        return Response(status=204)


class CheckAnswer(TestEndpoint):
    needs = "use_models"
    calls_out = True

    @extend_schema(
        operation_id="check_answer",
        summary="Hold an answer to the checks of a test, as the playground does; nothing is kept",
        description="Checks that ask a model are calls of the caller's for the prompt's team.",
        request=TestCaseAnswerSerializer,
        responses=TestVerdictsSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        case = access.case_for(self.prompt(slug), pk)
        team = case.prompt.team
        if not self.caller.may("use_models", team.pk):
            raise denied(team, self.caller, "use_models")
        body = self.read(TestCaseAnswerSerializer)
        identify = self.identify(team, purpose="check", environment=body.get("environment"))
        ask = answer_checks.asking(identify, route=request.path, client_address=self.client_address)
        let_go()
        verdicts = sync.run(answer_checks.verdicts(case, body["answer"], ask))
        rows = [
            {"title": title_of(spec), "passed": verdict.passed, "reason": verdict.reason, "was_made": verdict.was_made}
            for spec, verdict in zip(case.checks, verdicts, strict=True)
        ]
        return Response({"passed": all(verdict.passed for verdict in verdicts), "verdicts": rows})


class Runs(TestEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_test_runs",
        summary="List the runs of a prompt's tests",
        responses=listed(TestRunSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        rows = TestRun.objects.filter(prompt=self.prompt(slug)).select_related("version")
        return self.page(rows, TestRunSerializer)

    @extend_schema(
        operation_id="start_test_run",
        summary="Run the tests on a version and a model",
        request=TestRunStartSerializer,
        responses={201: TestRunSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        body = self.read(TestRunStartSerializer)
        version = self.version(prompt, body["version"])
        run = runs.start_run(actor=self.actor, prompt=prompt, version=version, model=body["model"])
        return Response(TestRunSerializer(run).data, status=201)


class OneRun(TestEndpoint):
    @extend_schema(operation_id="show_test_run", summary="Show a run", responses=TestRunSerializer)
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return Response(TestRunSerializer(access.run_for(self.prompt(slug), pk)).data)


class Results(TestEndpoint):
    @extend_schema(
        operation_id="list_test_results",
        summary="List what came of each test of a run",
        responses=listed(TestResultSerializer),
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        rows = TestResult.objects.filter(run=access.run_for(self.prompt(slug), pk))
        return self.page(rows, TestResultSerializer)


class Stop(TestEndpoint):
    needs = "build"

    @extend_schema(operation_id="stop_test_run", summary="Stop a run", request=None, responses=TestRunSerializer)
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        run = access.run_for(self.prompt(slug, "edit"), pk)
        runs.stop_run(actor=self.actor, run=run)
        run.refresh_from_db(fields=["status", "finished_at"])
        return Response(TestRunSerializer(run).data)
