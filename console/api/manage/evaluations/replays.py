"""Replays: cost estimate, start, report, answers. Reading answers is recorded."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.evals import access
from console.evals.checks import EMBED_ALIAS
from console.evals.cost_estimate import Estimate
from console.evals.models import Dataset, Replay, ReplayResult
from console.evals.queries import replays as queries
from console.evals.services import replays


class ReplayStartSerializer(Strict):
    dataset = serializers.UUIDField()
    model = serializers.CharField(
        max_length=200,
        default="",
        allow_blank=True,
        help_text="alias, alias@sandbox, or provider/name; empty: each item's own alias",
    )
    prompt = serializers.CharField(max_length=200, default="", allow_blank=True)
    version = serializers.IntegerField(min_value=1, default=None, allow_null=True, help_text="Of the prompt.")
    checks = serializers.ListField(
        child=serializers.DictField(),
        default=list,
        help_text="As those of a test: kind (equals, contains, not_contains, json_schema, similarity, judge), value, "
        "threshold, alias",
    )
    likeness_by = serializers.CharField(
        max_length=200,
        default=EMBED_ALIAS,
        allow_blank=True,
        help_text="The alias whose vectors say how alike answers are; empty: it is not measured.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["prompt"]) != (attrs["version"] is not None):
            raise serializers.ValidationError({"version": "A prompt and the number of its version go together."})
        return attrs


class ReplayEstimateSerializer(serializers.Serializer[Estimate]):
    calls = serializers.IntegerField()
    judging_calls = serializers.IntegerField()
    tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField(help_text="Of the answers.")
    judging_micros = serializers.IntegerField()
    recorded_micros = serializers.IntegerField(help_text="What the recorded calls cost.")
    unpriced = serializers.ListField(
        child=serializers.CharField(), help_text="Models without a price, which the estimate leaves out."
    )


class ReplaySerializer(serializers.ModelSerializer[Replay]):
    team = serializers.CharField(source="team.slug")
    version = serializers.SerializerMethodField(help_text="support/answer@7; empty where it is another model alone.")

    class Meta:
        model = Replay
        fields = (
            *("id", "team", "dataset", "model", "environment", "pinned", "version", "checks", "likeness_by"),
            *("estimate_micros", "status", "started_by_name", "started_at", "finished_at", "not_before", "waits_for"),
        )

    def get_version(self, replay: Replay) -> str:
        return str(replay.version or "")


class ReplayFiguresSerializer(serializers.Serializer[queries.Figures]):
    answers = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    tokens = serializers.IntegerField()
    p50_us = serializers.IntegerField(allow_null=True)
    p95_us = serializers.IntegerField(allow_null=True)


class ReplayCheckSerializer(serializers.Serializer[queries.CheckRow]):
    title = serializers.CharField()
    recorded = serializers.FloatField(allow_null=True, help_text="Percent of the recorded answers that passed.")
    candidate = serializers.FloatField(allow_null=True)


class ReplayReportSerializer(serializers.Serializer[queries.Report]):
    """Cost, tokens and times are of the items that both sides answered; times are from sending to the whole answer."""

    total = serializers.IntegerField()
    done = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    recorded_errors = serializers.IntegerField()
    recorded = ReplayFiguresSerializer(allow_null=True)
    candidate = ReplayFiguresSerializer()
    judging_micros = serializers.IntegerField()
    checks = ReplayCheckSerializer(many=True)
    likeness = serializers.FloatField(allow_null=True, help_text="The mean; 1 is the same meaning.")
    measured = serializers.IntegerField(help_text="Answers whose likeness is known.")
    alike = serializers.IntegerField(help_text="Those of 0.9 or more.")
    compared = serializers.IntegerField()
    same = serializers.IntegerField(help_text="Word for word.")
    with_calls = serializers.IntegerField()
    same_calls = serializers.IntegerField()
    trouble = serializers.CharField(help_text="What could not be judged; empty for nothing.")


class ReplayWithReportSerializer(ReplaySerializer):
    report = ReplayReportSerializer()

    class Meta(ReplaySerializer.Meta):
        fields = (*ReplaySerializer.Meta.fields, "report")  # type: ignore[assignment]


class ReplayResultSerializer(serializers.ModelSerializer[ReplayResult]):
    place = serializers.IntegerField(source="item.place")
    recorded = serializers.CharField(source="item.expected", help_text="What was answered then, or is wanted.")
    record_id = serializers.UUIDField(source="item.record_id", allow_null=True)

    class Meta:
        model = ReplayResult
        fields = (
            *("id", "place", "record_id", "recorded", "status", "output", "tool_calls", "model", "is_same", "likeness"),
            *("checks", "recorded_checks", "error", "trouble", "request_id", "tokens", "cost_micros"),
            *("judging_micros", "latency_us"),
        )


class ReplayEndpoint(Endpoint):
    """A view of one replay, or that plans one."""

    def replay(self, pk: uuid.UUID, to: str = "view") -> Replay:
        return access.replay_for(self.caller, pk, to)

    def start_arguments(self) -> tuple[Dataset, dict[str, Any]]:
        body = self.read(ReplayStartSerializer)
        dataset = access.dataset_for(self.caller, body.pop("dataset"), to="start")
        slug, number = body.pop("prompt"), body.pop("version")
        version = access.candidate_for(self.caller, slug, number) if slug else None
        return dataset, {**body, "version": version}

    def answer(self, replay: Replay, status: int = 200) -> Response:
        has_record = replay.dataset.source == Dataset.Source.LOG
        replay.report = queries.report(queries.rows_of(replay), has_record=has_record)  # type: ignore[attr-defined]
        return Response(ReplayWithReportSerializer(replay).data, status=status)


class Replays(ReplayEndpoint):
    needs, needs_to = "view_team", {"POST": "build"}

    @extend_schema(
        operation_id="list_replays",
        summary="List the replays of your teams, newest first",
        responses=listed(ReplaySerializer),
    )
    def get(self, request: Any) -> Response:
        return self.page(access.replays_for(self.caller), ReplaySerializer)

    @extend_schema(
        operation_id="start_replay",
        summary="Ask a candidate the items of a dataset",
        description="Its calls are yours, in the batch lane, on the team's quota.",
        request=ReplayStartSerializer,
        responses={201: ReplayWithReportSerializer},
    )
    def post(self, request: Any) -> Response:
        dataset, arguments = self.start_arguments()
        return self.answer(replays.start_replay(actor=self.actor, dataset=dataset, **arguments), 201)


class EstimateReplay(ReplayEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="estimate_replay",
        summary="Say what a replay would cost, and start nothing",
        request=ReplayStartSerializer,
        responses=ReplayEstimateSerializer,
    )
    def post(self, request: Any) -> Response:
        dataset, arguments = self.start_arguments()
        costs = replays.plan(actor=self.actor, dataset=dataset, **arguments)[2]
        return Response(ReplayEstimateSerializer(costs).data)


class OneReplay(ReplayEndpoint):
    needs, needs_to = "view_team", {"DELETE": "build"}

    @extend_schema(
        operation_id="show_replay",
        summary="Show a replay with its figures",
        responses=ReplayWithReportSerializer,
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.answer(self.replay(pk))

    @extend_schema(operation_id="delete_replay", summary="Remove a replay", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        replays.delete_replay(actor=self.actor, replay=self.replay(pk, "change"))
        return Response(status=204)


class ReplayResults(ReplayEndpoint):
    needs = "read_content"

    @extend_schema(
        operation_id="list_replay_results",
        summary="Read the answers of a replay, the last first; that is recorded",
        responses=listed(ReplayResultSerializer),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        replay = self.replay(pk, "read")
        rows = ReplayResult.objects.filter(replay=replay).select_related("item")
        results, after = page_of(self.request, rows)
        replays.read_results(actor=self.actor, replay=replay, results=len(results))
        data = {"data": ReplayResultSerializer(results, many=True).data, "next": after}
        return Response(data)


class RetryReplay(ReplayEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="retry_replay",
        summary="Ask again what has no answer, in your name",
        request=None,
        responses=ReplayWithReportSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        replays.retry_replay(actor=self.actor, replay=self.replay(pk, "start"))
        return self.answer(self.replay(pk))


class StopReplay(ReplayEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="stop_replay",
        summary="Stop a replay; calls under way end by themselves",
        request=None,
        responses=ReplayWithReportSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        replay = self.replay(pk, "change")
        replays.stop_replay(actor=self.actor, replay=replay)
        replay.refresh_from_db(fields=["status", "finished_at"])
        return self.answer(replay)
