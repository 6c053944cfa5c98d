"""Datasets, uploaded or sampled from the log. Reading items is recorded."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.api.parsers import StrictJSONParser, UploadParser
from console.audit.models import Status
from console.evals import access, uploads
from console.evals.models import Dataset, DatasetItem
from console.evals.queries.replays import datasets_counted
from console.evals.sampling import MOST_BYTES, NEWEST, RANDOM, Sampling
from console.evals.services import datasets
from console.teams.access import team_for
from console.teams.models import Environment, Team


class DatasetUploadSerializer(Strict):
    team = serializers.CharField(max_length=100, help_text="Its short name.")
    name = serializers.CharField(max_length=100)
    format = serializers.ChoiceField(choices=list(uploads.FORMATS), default="jsonl")
    content = serializers.CharField(
        trim_whitespace=False,
        help_text="JSON lines with input (and system) or messages, and expected, parameters, variables; "
        "or CSV with the columns input, system, expected and variables.NAME.",
    )


class DatasetFileSerializer(Strict):
    team = serializers.CharField(max_length=100, help_text="Its short name.")
    name = serializers.CharField(max_length=100)
    file = serializers.FileField(help_text="CSV where its name ends in .csv, else JSON lines; up to 20 MB.")


class DatasetSampleSerializer(Strict):
    team = serializers.CharField(max_length=100, help_text="Its short name.")
    name = serializers.CharField(max_length=100)
    number = serializers.IntegerField(min_value=1, max_value=uploads.MOST_ITEMS, default=50)
    order = serializers.ChoiceField(choices=[NEWEST, RANDOM], default=NEWEST)
    alias = serializers.CharField(max_length=100, default="", allow_blank=True)
    prompt = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="The prompt that calls named."
    )
    key = serializers.UUIDField(default=None, allow_null=True)
    environment = serializers.ChoiceField(choices=Environment.choices, default="", allow_blank=True)
    status = serializers.MultipleChoiceField(choices=[Status.OK.value, Status.ERROR.value], default={Status.OK.value})
    since = serializers.DateTimeField(default=None, allow_null=True)
    until = serializers.DateTimeField(default=None, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["since"] and attrs["until"] and attrs["since"] >= attrs["until"]:
            raise serializers.ValidationError({"until": "This is before the start."})
        return attrs


class DatasetSerializer(serializers.ModelSerializer[Dataset]):
    team = serializers.CharField(source="team.slug")
    items = serializers.IntegerField(source="size")
    replays = serializers.IntegerField(source="replayed")

    class Meta:
        model = Dataset
        fields = ("id", "team", "name", "source", "origin", "items", "replays", "made_by_name", "made_at")


class SampledDatasetSerializer(DatasetSerializer):
    passed_over = serializers.CharField(source="said", help_text="What was passed over and why, in words.")

    class Meta(DatasetSerializer.Meta):
        fields = (*DatasetSerializer.Meta.fields, "passed_over")  # type: ignore[assignment]


class DatasetItemSerializer(serializers.ModelSerializer[DatasetItem]):
    class Meta:
        model = DatasetItem
        fields = (
            *("id", "place", "operation", "body", "prompt", "expected", "tool_calls", "record_id", "recorded_at"),
            *("alias", "environment", "model", "status", "prompt_tokens", "completion_tokens", "cost_micros"),
            *("latency_us", "is_redacted", "is_forgotten"),
        )
        extra_kwargs = {
            "latency_us": {"help_text": "From sending the call to its whole answer."},
            "expected": {"help_text": "What was answered, or what is wanted."},
        }


class DatasetEndpoint(Endpoint):
    """A view that answers with datasets."""

    def team(self, slug: str, to: str) -> Team:
        team = team_for(self.caller, slug)
        access.check_may(self.caller, to, team.pk)
        return team

    def answer(self, dataset: Dataset, status: int = 200, **more: Any) -> Response:
        counted = datasets_counted(Dataset.objects.filter(pk=dataset.pk).select_related("team")).get()
        for name, value in more.items():
            setattr(counted, name, value)
        shape = SampledDatasetSerializer if more else DatasetSerializer
        return Response(shape(counted).data, status=status)


class Datasets(DatasetEndpoint):
    needs, needs_to = "view_team", {"POST": "build"}
    parser_classes = (StrictJSONParser, UploadParser)

    @extend_schema(
        operation_id="list_datasets",
        summary="List the datasets of your teams, newest first",
        responses=listed(DatasetSerializer),
    )
    def get(self, request: Any) -> Response:
        return self.page(datasets_counted(access.datasets_for(self.caller)), DatasetSerializer)

    @extend_schema(
        operation_id="upload_dataset",
        summary="Make a dataset of the lines of a file",
        request={UploadParser.media_type: DatasetFileSerializer, "application/json": DatasetUploadSerializer},
        responses={201: DatasetSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self._arguments()
        team = self.team(body["team"], "upload")
        dataset = datasets.upload_dataset(actor=self.actor, **{**body, "team": team})
        return self.answer(dataset, 201)

    def _arguments(self) -> dict[str, Any]:
        """Return what the service takes, from JSON or from a form with a file."""
        if not self.request.content_type.startswith(UploadParser.media_type):
            body = self.read(DatasetUploadSerializer)
            return {"form": body.pop("format"), "text": body.pop("content"), **body}
        body = self.read(DatasetFileSerializer)
        file = body.pop("file")
        text = uploads.decoded(file.read(MOST_BYTES + 1))
        return {"form": uploads.format_of(file.name), "text": text, "filename": file.name[:200], **body}


class SampleDataset(DatasetEndpoint):
    needs = "build"

    @extend_schema(
        operation_id="sample_dataset",
        summary="Copy records of the log into a dataset; that their content was read is recorded",
        request=DatasetSampleSerializer,
        responses={201: SampledDatasetSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(DatasetSampleSerializer)
        team = self.team(body["team"], "sample")
        sampling = Sampling(
            team_id=team.pk,
            number=body["number"],
            order=body["order"],
            alias=body["alias"],
            key_id=body["key"],
            statuses=tuple(sorted(body["status"])) or (Status.OK.value,),
            environment=body["environment"],
            prompt=body["prompt"],
            start=body["since"],
            end=body["until"],
        )
        dataset, sample = datasets.sample_dataset(
            actor=self.actor, team=team, name=body["name"], wanted=sampling, chosen=_words(body)
        )
        return self.answer(dataset, 201, said=sample.summary)


def _words(body: dict[str, Any]) -> str:
    """Return the filter as the dataset and the log tell it."""
    parts = [f"{'The newest' if body['order'] == NEWEST else 'A random'} {body['number']}"]
    parts += [
        f"{name} {body[name]}" for name in ("alias", "prompt", "key", "environment", "since", "until") if body[name]
    ]
    return ", ".join([*parts, " or ".join(sorted(body["status"]))])


class OneDataset(DatasetEndpoint):
    needs, needs_to = "view_team", {"DELETE": "build"}

    @extend_schema(operation_id="show_dataset", summary="Show a dataset", responses=DatasetSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.answer(access.dataset_for(self.caller, pk))

    @extend_schema(operation_id="delete_dataset", summary="Remove a dataset with its replays", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        datasets.delete_dataset(actor=self.actor, dataset=access.dataset_for(self.caller, pk, to="change"))
        return Response(status=204)


class DatasetItems(Endpoint):
    needs = "read_content"

    @extend_schema(
        operation_id="list_dataset_items",
        summary="Read the items of a dataset, the last first; that is recorded",
        responses=listed(DatasetItemSerializer),
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        dataset = access.dataset_for(self.caller, pk, to="read")
        items, after = page_of(self.request, DatasetItem.objects.filter(dataset=dataset))
        datasets.read_all(actor=self.actor, dataset=dataset, items=len(items))
        data = {"data": DatasetItemSerializer(items, many=True).data, "next": after}
        return Response(data)
