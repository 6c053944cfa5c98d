"""Batches. OpenAI's own endpoints are at /v1/batches."""

from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.parsers import UploadParser
from console.batches import access, queries, tables
from console.batches.downloads import send_file, send_table
from console.batches.endpoints import ENDPOINTS
from console.batches.models import Batch, File
from console.batches.services import batches as services
from console.batches.services.creator import Creator
from console.batches.services.files import delete_file, upload_file
from console.core.errors import BadInput
from console.core.ids import parse_id
from console.evals.services.callers import check_caller
from console.teams import access as teams_access
from console.teams.models import Environment, Team


class BatchSerializer(serializers.ModelSerializer[Batch]):
    """Needs `team` at hand."""

    id = serializers.CharField(source="public_id")
    team = serializers.SlugRelatedField("slug", read_only=True)  # type: ignore[var-annotated]
    rerun_of = serializers.SerializerMethodField(help_text="The batch whose lines these were; null for none.")
    ended_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = Batch
        fields = [
            "id", "team", "environment", "name", "creator", "endpoint", "metadata", "state", "total", "completed",
            "failed", "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens", "cost_micros",
            "rerun_of", "not_before", "waits_for", "created_at", "in_progress_at", "expires_at", "ended_at",
        ]  # fmt: skip

    def get_rerun_of(self, batch: Batch) -> str | None:
        return Batch(pk=batch.rerun_of_id).public_id if batch.rerun_of_id else None


class BatchFailureSerializer(serializers.Serializer[queries.ErrorGroup]):
    code = serializers.CharField()
    message = serializers.CharField(help_text="Of the first such line.")
    count = serializers.IntegerField(help_text="Lines that failed with this code.")
    custom_id = serializers.CharField(source="example", help_text="Of the first such line.")
    line = serializers.IntegerField(source="number", help_text="The number of the first such line.")


class BatchDetailSerializer(BatchSerializer):
    problems = serializers.ListField(source="errors", help_text="What is wrong with the input file.")
    failures = BatchFailureSerializer(many=True, help_text="The most frequent first, 20 at most.")
    files = serializers.DictField(
        child=serializers.CharField(), help_text="Those still there: input, output, errors, and their ids at /v1/files."
    )

    class Meta(BatchSerializer.Meta):
        fields = [*BatchSerializer.Meta.fields, "problems", "failures", "files"]


class UploadedBatchSerializer(Strict):
    team = serializers.CharField()
    file = serializers.FileField(
        allow_empty_file=True, help_text="JSON lines: custom_id, method, url and body. With prompt: a table, CSV."
    )
    endpoint = serializers.ChoiceField(
        list(ENDPOINTS), default=tables.ENDPOINT, help_text="What every line names as its url."
    )
    # As long as they are on the page: they stand in each of the lines.
    prompt = serializers.CharField(
        required=False,
        max_length=300,
        help_text="Whose variables the table's columns are: support/answer, or support/answer@7.",
    )
    model = serializers.CharField(
        required=False, max_length=100, help_text="With prompt: the alias its rows are asked of."
    )
    environment = serializers.ChoiceField(
        Environment.choices, required=False, help_text="production unless given; a key's own."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what says two things at once, for all lines of it would fail."""
        if "model" in attrs and "prompt" not in attrs:
            raise BadInput("model goes with prompt; lines of calls name their own.", param="model")
        if "prompt" in attrs and attrs["endpoint"] != tables.ENDPOINT:
            raise BadInput(f"The rows of a table are asked at {tables.ENDPOINT}; leave it out.", param="endpoint")
        return attrs


class BatchEndpoint(Endpoint):
    """A view of batches: seen by who made them and by who sees the usage of their team."""

    needs = "view_team"
    # Of the batch to be made: its input, which is written before the transaction, and in whose name.
    file: File
    made_by: Creator

    def batch(self, batch_id: str, to: str = "see") -> Batch:
        identifier = parse_id(batch_id, "batch_")
        if identifier is None:
            raise Http404("There is no such batch.")
        if to == "rerun":
            return access.batch_to_rerun(self.caller, identifier)
        return access.batch_for(self.caller, identifier, to=to)

    def creator(self, team: Team, environment: str | None) -> Creator:
        """Return in whose name lines are sent: a person's, or a key's in its own team and environment."""
        check_caller(self.actor, team, purpose="batch")
        person = self.caller.user
        return Creator(
            self.actor,
            team,
            self.environment(environment),
            key_id=self.caller.key_id,
            person_id=person.pk if person else None,
        )

    def discard(self) -> None:
        if hasattr(self, "file"):
            delete_file(actor=self.actor, file=self.file, surface=self.made_by.surface)

    def answer(self, batch: Batch, *, status: int = 200) -> Response:
        batch.failures = queries.error_groups(batch)  # type: ignore[attr-defined]
        batch.files = {name: file.public_id for name, file in queries.existing_files(batch).items()}  # type: ignore[attr-defined]
        return Response(BatchDetailSerializer(batch).data, status=status)


class Batches(BatchEndpoint):
    needs_to, is_prepared = {"POST": "use_models"}, True
    parser_classes = (UploadParser,)

    @extend_schema(
        operation_id="list_batches",
        summary="List batches, newest first",
        parameters=[OpenApiParameter("team", str)],
        responses=listed(BatchSerializer),
    )
    def get(self, request: Any) -> Response:
        return self.page(access.batches_for(self.caller, self.asked_team()), BatchSerializer)

    @extend_schema(
        operation_id="create_batch",
        summary="Upload a file of calls, or a table and a prompt, and have them made",
        request={UploadParser.media_type: UploadedBatchSerializer},
        responses={201: BatchDetailSerializer},
    )
    def post(self, request: Any) -> Response:
        endpoint = request.data.get("endpoint", tables.ENDPOINT)
        batch = services.create_batch(creator=self.made_by, file=self.file, endpoint=endpoint)
        return self.answer(batch, status=201)

    def prepare(self, request: Any) -> None:
        body = self.read(UploadedBatchSerializer)
        team, file = teams_access.team_for(self.caller, body["team"], to="use_models"), body["file"]
        self.made_by = self.creator(team, body.get("environment"))
        name, content = file.name or "file", file.chunks()
        if prompt := body.get("prompt"):
            raw = file.read(tables.MOST_BYTES + 1)
            name = tables.filename_for(name)
            content = tables.calls_from(
                self.caller, self.made_by, prompt=prompt, model=body.get("model", ""), raw=raw
            ).lines
        self.file = upload_file(creator=self.made_by, filename=name, purpose="batch", content=content)


class OneBatch(BatchEndpoint):
    @extend_schema(
        operation_id="batch",
        summary="Show how far a batch is, and what failed in it",
        responses=BatchDetailSerializer,
    )
    def get(self, request: Any, batch_id: str) -> Response:
        return self.answer(self.batch(batch_id))

    @extend_schema(
        operation_id="delete_batch",
        summary="Delete a batch that is over, with its files; its calls stay in the audit log",
        responses={204: None},
    )
    def delete(self, request: Any, batch_id: str) -> Response:
        surface = "api" if self.caller.key_id else "console"
        services.delete_batch(actor=self.actor, batch=self.batch(batch_id, "change"), surface=surface)
        return Response(status=204)


class Cancel(BatchEndpoint):
    @extend_schema(
        operation_id="cancel_batch",
        summary="Let no further line start; calls under way end first",
        request=None,
        responses=BatchDetailSerializer,
    )
    def post(self, request: Any, batch_id: str) -> Response:
        batch = self.batch(batch_id, "change")
        surface = "api" if self.caller.key_id else "console"
        return self.answer(services.cancel_batch(actor=self.actor, batch=batch, surface=surface))


class RunAgain(BatchEndpoint):
    needs, is_prepared = "use_models", True

    @extend_schema(
        operation_id="rerun_batch",
        summary="Make a new batch of the lines that have no answer, in the caller's name",
        request=None,
        responses={201: BatchDetailSerializer},
    )
    def post(self, request: Any, batch_id: str) -> Response:
        batch = self.batch(batch_id, "rerun")
        return self.answer(services.rerun_batch(creator=self.made_by, batch=batch, file=self.file), status=201)

    def prepare(self, request: Any, batch_id: str) -> None:
        batch = self.batch(batch_id, "rerun")
        self.made_by = self.creator(batch.team, batch.environment)
        self.file = services.copy_without_answer(creator=self.made_by, batch=batch)


class Download(BatchEndpoint):
    @extend_schema(
        operation_id="download_batch_file",
        summary="Read the answers of a batch, its errors, or both as a table (CSV); that is recorded",
        parameters=[OpenApiParameter("what", str, OpenApiParameter.PATH, enum=["output", "errors", "table"])],
        responses={(200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY)},
    )
    def get(self, request: Any, batch_id: str, what: str) -> HttpResponseBase:
        if what == "table":
            return send_table(request._request, self.caller, self.batch(batch_id))
        return send_file(request._request, self.caller, self.batch(batch_id), what)


urlpatterns = [
    path("batches/", Batches.as_view(), name="batches"),
    path("batches/<slug:batch_id>/", OneBatch.as_view(), name="batch"),
    path("batches/<slug:batch_id>/cancel/", Cancel.as_view(), name="cancel_batch"),
    path("batches/<slug:batch_id>/run-again/", RunAgain.as_view(), name="rerun_batch"),
    path("batches/<slug:batch_id>/files/<slug:what>/", Download.as_view(), name="download_batch_file"),
]
