"""Serializers of the log: records, content, blocks and checks."""

import json
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from console.api.manage.base import Strict
from console.audit.models import AuditEvent, ChainCheck, Payload, Rating, Seal
from console.core.ids import request_id
from console.teams.callers import Caller
from usage_app.queries.audit.record import sources_of

CURSOR = OpenApiParameter("cursor", str, description="`next` of the page before.")


class SourceSerializer(serializers.Serializer[Any]):
    """A part of a document that stood before the question of a call."""

    n = serializers.IntegerField(help_text="Its number, as the model was told to cite it.")
    document = serializers.CharField()
    version = serializers.IntegerField()
    collection = serializers.CharField()
    heading = serializers.CharField()


class SaidSerializer(serializers.Serializer[Any]):
    """What somebody said of an answer."""

    rating = serializers.ChoiceField(["good", "bad"], source="says")
    score = serializers.FloatField(allow_null=True, help_text="0 to 1, where one was given.")
    comment = serializers.SerializerMethodField(help_text="Null for who may not read the content of calls.")
    rater_kind = serializers.ChoiceField(["user", "key", "visitor"])
    rater = serializers.CharField()
    given_at = serializers.DateTimeField()

    def get_comment(self, rating: Rating) -> str | None:
        return rating.comment if self.context["reads"] else None


class EventSerializer(serializers.ModelSerializer[AuditEvent]):
    """One record without its content."""

    request_id = serializers.SerializerMethodField()
    detail = serializers.SerializerMethodField(help_text="Before and after of a change.")
    knowledge = serializers.SerializerMethodField(help_text="The parts of documents a call was given.")
    ratings = serializers.SerializerMethodField(help_text="What people and programs said of the answer.")
    metadata = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="What the caller says the call was for."
    )
    input_sha256 = serializers.SerializerMethodField()
    output_sha256 = serializers.SerializerMethodField()
    cache_write_tokens = serializers.IntegerField(
        source="by_kind.cache_write_tokens", help_text="Of the prompt's, those written to the provider's cache."
    )
    cache_write_1h_tokens = serializers.IntegerField(
        source="by_kind.cache_write_1h_tokens", help_text="Of those, what was written for an hour."
    )
    audio_input_tokens = serializers.IntegerField(source="by_kind.audio_input_tokens", help_text="Of the prompt's.")
    audio_output_tokens = serializers.IntegerField(
        source="by_kind.audio_output_tokens", help_text="Of the completion's."
    )

    class Meta:
        model = AuditEvent
        fields = [
            "request_id", "at", "closed_at", "type", "action", "status", "http_status", "code", "reason", "team_id",
            "team", "actor_kind", "actor_id", "actor", "key_id", "key", "environment", "lane", "surface", "route",
            "client_address", "client_request_id", "end_user", "metadata", "alias", "model", "model_version_id",
            "prompt", "agent", "stream", "attempts", "prompt_tokens", "cached_tokens", "cache_write_tokens",
            "cache_write_1h_tokens", "audio_input_tokens", "completion_tokens", "reasoning_tokens",
            "audio_output_tokens", "cost_micros", "usage_note", "latency_us", "first_token_us", "overhead_us",
            "target_type", "target_id", "target", "detail", "knowledge", "ratings", "input_sha256", "output_sha256",
        ]  # fmt: skip

    def get_request_id(self, event: AuditEvent) -> str:
        return request_id(event.pk)

    def get_detail(self, event: AuditEvent) -> dict[str, Any] | None:
        try:
            detail = json.loads(event.detail) if event.detail else None
        except ValueError:
            detail = event.detail
        return detail if detail is None or isinstance(detail, dict) else {"text": detail}

    @extend_schema_field(SourceSerializer(many=True))
    def get_knowledge(self, event: AuditEvent) -> list[dict[str, Any]]:
        return SourceSerializer(sources_of(event), many=True).data  # type: ignore[return-value]

    @extend_schema_field(SaidSerializer(many=True))
    def get_ratings(self, event: AuditEvent) -> list[dict[str, Any]]:
        caller: Caller = self.context["caller"]
        ratings = self.context["ratings"].get(event.pk, [])
        reads = {"reads": caller.may("read_content", event.team_id)}
        return SaidSerializer(ratings, many=True, context=reads).data  # type: ignore[return-value]

    def get_input_sha256(self, event: AuditEvent) -> str | None:
        return bytes(event.input_sha256).hex() if event.input_sha256 else None

    def get_output_sha256(self, event: AuditEvent) -> str | None:
        return bytes(event.output_sha256).hex() if event.output_sha256 else None


class SealedEventSerializer(EventSerializer):
    seal = serializers.IntegerField(allow_null=True, help_text="Number of the block that seals it; null until then.")

    class Meta(EventSerializer.Meta):
        fields = [*EventSerializer.Meta.fields, "seal"]


class BodySerializer(serializers.ModelSerializer[Payload]):
    class Meta:
        model = Payload
        fields = ["body", "bytes", "is_cut", "redactions"]


class ContentSerializer(serializers.Serializer[Any]):
    request_id = serializers.CharField()
    input = BodySerializer(allow_null=True, help_text="Null where there is none or it is no longer kept.")
    output = BodySerializer(allow_null=True)


class SealSerializer(serializers.ModelSerializer[Seal]):
    previous = serializers.SerializerMethodField(help_text="Hash of the block before.")
    sha256 = serializers.SerializerMethodField()

    class Meta:
        model = Seal
        fields = ["number", "sealed_at", "format", "previous", "sha256"]

    def get_previous(self, seal: Seal) -> str:
        return bytes(seal.previous).hex()

    def get_sha256(self, seal: Seal) -> str:
        return bytes(seal.sha256).hex()


class OperatorSealSerializer(SealSerializer):
    """How many calls the whole installation has is for operators only."""

    class Meta(SealSerializer.Meta):
        fields = [*SealSerializer.Meta.fields, "rows"]


class SealsSerializer(serializers.Serializer[Any]):
    data = OperatorSealSerializer(many=True, help_text="`rows` is for operators only.")  # type: ignore[assignment]
    next = serializers.CharField(allow_null=True)
    sealed_at = serializers.DateTimeField(allow_null=True, help_text="Everything until then is sealed.")
    verified_at = serializers.DateTimeField(allow_null=True, help_text="When the chain was last found whole.")
    problem = serializers.CharField(help_text="What the last check found; empty when all is well.")
    archived_number = serializers.IntegerField(help_text="The last block copied to the archive; 0 without one.")
    archived_at = serializers.DateTimeField(allow_null=True, help_text="When that block was sealed.")
    archive_problem = serializers.CharField(help_text="Why the next block was not copied; empty when all is well.")


class HeadSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    sha256 = serializers.CharField()
    sealed_at = serializers.DateTimeField()


class ChainCheckSerializer(serializers.ModelSerializer[ChainCheck]):
    """`rows` is null but for operators: how many calls the whole installation has is not for others."""

    by = serializers.CharField(source="actor_name")
    head = serializers.CharField(source="head_text", help_text="NUMBER:SHA256 of the block it goes up to.")
    rows = serializers.SerializerMethodField()
    problems = serializers.ListField(child=serializers.DictField(), help_text="The first: block and what.")

    class Meta:
        model = ChainCheck
        fields = [
            "id", "state", "by", "head", "last", "reached", "blocks", "rows", "dropped", "problem_count", "problems",
            "created_at", "ended_at",
        ]  # fmt: skip

    def get_rows(self, check: ChainCheck) -> int | None:
        return check.rows if self.context["is_operator"] else None


class AuditChainSerializer(serializers.Serializer[Any]):
    head = HeadSerializer(allow_null=True, help_text="The newest block.")
    verified_at = serializers.DateTimeField(allow_null=True, help_text="When the newest blocks were last checked.")
    whole_at = serializers.DateTimeField(allow_null=True, help_text="When the last round through all of them ended.")
    problem = serializers.CharField(help_text="Empty when all is well.")
    problem_at = serializers.DateTimeField(allow_null=True)
    checks = ChainCheckSerializer(many=True, help_text="Those somebody asked for, newest first, ten at most.")


class KeptHeadSerializer(Strict):
    head = serializers.CharField(max_length=4096, help_text="NUMBER:SHA256, or the text of a downloaded file.")


class KeptSerializer(serializers.Serializer[Any]):
    is_part = serializers.BooleanField()
    number = serializers.IntegerField()
    sealed_at = serializers.DateTimeField(allow_null=True)
    says = serializers.CharField()
