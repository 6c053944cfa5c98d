"""Import prompts, versions and labels from a Langfuse file."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict
from console.api.parsers import StrictJSONParser, UploadParser
from console.core.errors import BadInput
from console.teams.access import team_for
from prompts_app.git.langfuse import MadePrompt, Outcome, import_langfuse
from prompts_app.git.langfuse_file import LARGEST_SENT


class _ImportFields(Strict):
    team = serializers.CharField(max_length=100, help_text="Its short name.")
    dry_run = serializers.BooleanField(default=False, help_text="Say what would be made, and make nothing.")


class LangfuseTextSerializer(_ImportFields):
    content = serializers.CharField(
        max_length=LARGEST_SENT,
        trim_whitespace=False,
        help_text="JSON as Langfuse's API and exports give it, or JSON lines.",
    )


class LangfuseFileSerializer(_ImportFields):
    file = serializers.FileField(help_text="The same, as a file; up to 1.5 MB.")

    def validate_file(self, file: Any) -> Any:
        if file.size > LARGEST_SENT:
            raise serializers.ValidationError("This is more than 1.5 MB; `manage.py prompts import-langfuse` takes it.")
        return file


class ImportedVersionSerializer(serializers.Serializer[MadePrompt]):
    title = serializers.CharField(help_text="The version in the file.")
    ref = serializers.CharField(help_text="What it is here.")
    is_new = serializers.BooleanField(help_text="Whether its prompt was made, too.")
    diff = serializers.CharField(source="text", help_text="To the version before it.")


class ImportedPromptsSerializer(serializers.Serializer[Outcome]):
    made = ImportedVersionSerializer(many=True)
    labels = serializers.ListField(child=serializers.CharField(), help_text="Those set: greeting:production → 2")
    notes = serializers.ListField(child=serializers.CharField(), help_text="What has no counterpart here.")
    already = serializers.IntegerField(help_text="Versions that were here before.")


class Import(Endpoint):
    needs = "build"
    parser_classes = (StrictJSONParser, UploadParser)

    @extend_schema(
        operation_id="import_prompts",
        summary="Import the prompts of a Langfuse file, all of them or none",
        request={UploadParser.media_type: LangfuseFileSerializer, "application/json": LangfuseTextSerializer},
        responses={200: ImportedPromptsSerializer, 201: ImportedPromptsSerializer},
    )
    def post(self, request: Any) -> Response:
        is_form = request.content_type.startswith(UploadParser.media_type)
        field = "file" if is_form else "content"
        body = self.read(LangfuseFileSerializer if is_form else LangfuseTextSerializer)
        team = team_for(self.caller, body["team"], to="build")
        raw = body["file"].read() if is_form else body["content"].encode()
        try:
            outcome = import_langfuse(actor=self.actor, team=team, raw=raw, dry_run=body["dry_run"])
        except BadInput as refusal:  # what is wrong with the file, or a version of it, is wrong with this field
            refusal.param = field if refusal.param in {None, "file"} else refusal.param
            raise
        is_new = bool(outcome.made or outcome.labels) and not body["dry_run"]
        return Response(ImportedPromptsSerializer(outcome).data, status=201 if is_new else 200)
