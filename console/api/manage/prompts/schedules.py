"""Schedules of a prompt's tests: rounds, baselines and incidents."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.api.manage.prompts.tests import TestEndpoint
from console.api.pagination import page_of
from console.core.errors import Conflict
from console.evals import access
from console.evals.models import Baseline, Incident, Round, Schedule
from console.evals.queries.schedules import ScheduleState, shown_one, with_states
from console.evals.services import baselines, incidents, schedules


class TestScheduleStartSerializer(Strict):
    label = serializers.CharField(max_length=40, default="production", help_text="Whose version is tested.")  # type: ignore[assignment]
    model = serializers.CharField(max_length=200, help_text="alias, alias@sandbox, or provider/name")
    cron = serializers.CharField(max_length=100, help_text="Five fields, as 0 3 * * *")
    time_zone = serializers.CharField(max_length=60, default="UTC")
    tolerance = serializers.IntegerField(
        min_value=0, max_value=100, default=5, help_text="Points of 100 the score may fall."
    )


class TestScheduleChangeSerializer(Strict):
    label = serializers.CharField(max_length=40, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=200, required=False)
    cron = serializers.CharField(max_length=100, required=False)
    time_zone = serializers.CharField(max_length=60, required=False)
    tolerance = serializers.IntegerField(min_value=0, max_value=100, required=False)
    seen_revision = seen_revision()


class ReasonSerializer(Strict):
    reason = serializers.CharField(max_length=500)


class BaselineTakeSerializer(ReasonSerializer):
    run = serializers.UUIDField(help_text="A finished run of these tests on the schedule's model.")


class BaselineSerializer(serializers.ModelSerializer[Baseline]):
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = Baseline
        fields = ("id", "run", "version", "pinned", "score", "cases", "reason", "taken_by_name", "taken_at")


class DriftIncidentSerializer(serializers.ModelSerializer[Incident]):
    class Meta:
        model = Incident
        fields = (
            *("id", "run", "score_before", "score_after", "lost", "sentence"),
            *("opened_at", "closed_at", "closed_by_name", "closed_reason"),
        )
        extra_kwargs = {"lost": {"help_text": "Tests that passed in the baseline and failed twice in a row."}}


class RoundSerializer(serializers.ModelSerializer[Round]):
    class Meta:
        model = Round
        fields = ("id", "cause", "run", "outcome", "score", "lost", "sentence", "at")


class TestScheduleSerializer(serializers.Serializer[ScheduleState]):
    """A schedule with its state."""

    id = serializers.UUIDField(source="schedule.pk")
    prompt = serializers.CharField(source="schedule.prompt.slug")
    label = serializers.CharField(source="schedule.label")  # type: ignore[assignment]
    version = serializers.IntegerField(source="schedule.version.number", default=None, allow_null=True)
    model = serializers.CharField(source="schedule.model")
    environment = serializers.CharField(source="schedule.environment")
    pinned = serializers.CharField(source="schedule.pinned", help_text="The exact version the model means.")
    cron = serializers.CharField(source="schedule.cron")
    time_zone = serializers.CharField(source="schedule.time_zone")
    when = serializers.CharField(source="schedule.when_words", help_text="The cron expression in words.")
    tolerance = serializers.IntegerField(source="schedule.tolerance")
    revision = serializers.IntegerField(source="schedule.revision", help_text="Grows with every change.")
    state = serializers.CharField(
        help_text="new, queued, running, waiting (for a limit), fine, red (no test passes), drifted,"
        " failing (cannot run) or paused"
    )
    is_paused = serializers.BooleanField(source="schedule.is_paused")
    pause_reason = serializers.CharField(source="schedule.pause_reason")
    trouble = serializers.CharField(source="schedule.trouble")
    runs_for = serializers.CharField(source="schedule.acts_as_name", help_text="Whose calls its runs make.")
    next_at = serializers.DateTimeField(source="schedule.next_at")
    last_score = serializers.FloatField(source="last.score", default=None, allow_null=True)
    last_at = serializers.DateTimeField(source="last.at", default=None, allow_null=True)
    baseline_score = serializers.FloatField(source="schedule.baseline.score", default=None, allow_null=True)
    incident = DriftIncidentSerializer(allow_null=True)
    created_by_name = serializers.CharField(source="schedule.created_by_name")
    created_at = serializers.DateTimeField(source="schedule.created_at")


class ScheduleEndpoint(TestEndpoint):
    """A view of one schedule, or of all of a prompt."""

    def schedule(self, slug: str, pk: uuid.UUID, to: str = "view") -> Schedule:
        return access.schedule_for(self.prompt(slug, to), pk)

    def answer(self, schedule: Schedule, status: int = 200) -> Response:
        return Response(TestScheduleSerializer(shown_one(schedule)).data, status=status)


def _page(endpoint: Endpoint, rows: QuerySet[Schedule]) -> Response:
    page, after = page_of(endpoint.request, rows)
    by_id = {
        state.schedule.pk: state for state in with_states(Schedule.objects.filter(pk__in=[row.pk for row in page]))
    }
    data = [TestScheduleSerializer(by_id[row.pk]).data for row in page if row.pk in by_id]
    return Response({"data": data, "next": after})


class Evaluations(Endpoint):
    needs = "view_team"

    @extend_schema(
        operation_id="list_evaluations",
        summary="List the schedules of tests of your teams' prompts",
        responses=listed(TestScheduleSerializer),
    )
    def get(self, request: Any) -> Response:
        return _page(self, access.schedules_for(self.caller))


class Schedules(ScheduleEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_test_schedules",
        summary="List the schedules of a prompt's tests",
        responses=listed(TestScheduleSerializer),
    )
    def get(self, request: Any, slug: str) -> Response:
        return _page(self, Schedule.objects.filter(prompt=self.prompt(slug)))

    @extend_schema(
        operation_id="create_test_schedule",
        summary="Run a prompt's tests again and again",
        description="The first run begins at once; its score is the first baseline.",
        request=TestScheduleStartSerializer,
        responses={201: TestScheduleSerializer},
    )
    def post(self, request: Any, slug: str) -> Response:
        prompt = self.prompt(slug, "edit")
        body = self.read(TestScheduleStartSerializer)
        return self.answer(schedules.create_schedule(actor=self.actor, prompt=prompt, **body), 201)


class OneSchedule(ScheduleEndpoint):
    needs_to = {"PATCH": "build", "DELETE": "build"}

    @extend_schema(
        operation_id="show_test_schedule",
        summary="Show a schedule and its state",
        responses=TestScheduleSerializer,
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return self.answer(self.schedule(slug, pk))

    @extend_schema(
        operation_id="change_test_schedule",
        summary="Change a schedule",
        description="Its runs are yours from then on. Another label or model begins without a baseline.",
        request=TestScheduleChangeSerializer,
        responses=TestScheduleSerializer,
    )
    def patch(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedule = self.schedule(slug, pk, "edit")
        body = self.read(TestScheduleChangeSerializer)
        return self.answer(schedules.change_schedule(actor=self.actor, schedule=schedule, **body))

    @extend_schema(operation_id="delete_test_schedule", summary="Remove a schedule", responses={204: None})
    def delete(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedules.delete_schedule(actor=self.actor, schedule=self.schedule(slug, pk, "edit"))
        return Response(status=204)


class RunNow(ScheduleEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="run_test_schedule",
        summary="Run a schedule's tests out of turn",
        request=None,
        responses={201: RoundSerializer},
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        run = schedules.run_now(actor=self.actor, schedule=self.schedule(slug, pk, "edit"))
        return Response(RoundSerializer(run).data, status=201)


class Pause(ScheduleEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="pause_test_schedule",
        summary="Begin no further run",
        request=ReasonSerializer,
        responses=TestScheduleSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedule, reason = self.schedule(slug, pk, "edit"), self.read(ReasonSerializer)["reason"]
        return self.answer(schedules.pause_schedule(actor=self.actor, schedule=schedule, reason=reason))


class Resume(ScheduleEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="resume_test_schedule",
        summary="Go on with a paused schedule, in your name",
        request=None,
        responses=TestScheduleSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedule = self.schedule(slug, pk, "edit")
        return self.answer(schedules.resume_schedule(actor=self.actor, schedule=schedule))


class Rounds(ScheduleEndpoint):
    @extend_schema(
        operation_id="list_test_rounds",
        summary="List the rounds of a schedule: what was run when, and what it said",
        responses=listed(RoundSerializer),
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return self.page(Round.objects.filter(schedule=self.schedule(slug, pk)), RoundSerializer)


class Baselines(ScheduleEndpoint):
    needs_to = {"POST": "build"}

    @extend_schema(
        operation_id="list_test_baselines",
        summary="List the baselines of a schedule, the newest first",
        responses=listed(BaselineSerializer),
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        rows = Baseline.objects.filter(schedule=self.schedule(slug, pk)).select_related("version")
        return self.page(rows, BaselineSerializer)

    @extend_schema(
        operation_id="take_test_baseline",
        summary="Hold later runs against this one",
        description="It says that the run is good enough, so an open incident is closed.",
        request=BaselineTakeSerializer,
        responses={201: BaselineSerializer},
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedule, body = self.schedule(slug, pk, "edit"), self.read(BaselineTakeSerializer)
        run = access.run_for(schedule.prompt, body["run"])
        baseline = baselines.take_baseline(actor=self.actor, schedule=schedule, run=run, reason=body["reason"])
        return Response(BaselineSerializer(baseline).data, status=201)


class Incidents(ScheduleEndpoint):
    @extend_schema(
        operation_id="list_drift_incidents",
        summary="List the incidents of a schedule, the newest first",
        responses=listed(DriftIncidentSerializer),
    )
    def get(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        return self.page(Incident.objects.filter(schedule=self.schedule(slug, pk)), DriftIncidentSerializer)


class CloseIncident(ScheduleEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="close_drift_incident",
        summary="Close the open incident of a schedule",
        request=ReasonSerializer,
        responses=TestScheduleSerializer,
    )
    def post(self, request: Any, slug: str, pk: uuid.UUID) -> Response:
        schedule, reason = self.schedule(slug, pk, "edit"), self.read(ReasonSerializer)["reason"]
        incident = Incident.objects.filter(schedule=schedule, closed_at=None).first()
        if incident is None:
            raise Conflict("No incident of this schedule is open.")
        incidents.close_incident(actor=self.actor, incident=incident, reason=reason)
        return self.answer(schedule)
