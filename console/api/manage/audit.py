"""The audit log: the list, one record, its content, the export, the chain. Reading content is itself recorded."""

import json
from collections.abc import Collection
from typing import Any, cast

from django.conf import settings
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import AnyForm, Endpoint, Strict, listed
from console.api.pagination import limit_of
from console.audit.models import AuditEvent, ChainCheck, EventType, Payload, Rating, Seal, Status
from console.audit.services import checks
from console.audit.services.seal import state
from console.core.errors import BadInput
from console.core.ids import request_id
from console.core.typed import number
from console.teams.callers import Caller, TeamRequest
from console.teams.models import Environment
from usage_app import access_audit as access
from usage_app.downloads import send_export
from usage_app.forms.audit import DAYS, RANGES, AuditFilterForm
from usage_app.queries.audit import content as contents
from usage_app.queries.audit.listing import listing, parse_cursor
from usage_app.queries.audit.ratings import ratings_of
from usage_app.queries.audit.record import record, sources_of
from usage_app.services import audit as services

_FILTERS = [
    OpenApiParameter("team", str, description="Only this team, by its short name."),
    OpenApiParameter("q", str, description="Text. It is looked for in content, too, where the caller may read it."),
    OpenApiParameter("range", str, enum=[*RANGES, *DAYS], description="The time that ends now, or a whole day of UTC."),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="Goes before `range`."),
    OpenApiParameter("until", OpenApiTypes.DATETIME),
    OpenApiParameter("type", str, many=True, enum=EventType.values),
    OpenApiParameter("status", str, many=True, enum=Status.values),
    OpenApiParameter("key", OpenApiTypes.UUID),
    OpenApiParameter("alias", str),
    OpenApiParameter("person", OpenApiTypes.UUID),
    OpenApiParameter("end_user", str, description="What the caller calls its own user, whole."),
    OpenApiParameter(
        "metadata", str, description="What callers say calls were for: `project=returns`, or `project` for any value."
    ),
    OpenApiParameter("environment", str, enum=Environment.values),
    OpenApiParameter(
        "prompt", str, description="Calls of a prompt (`support/answer`) or of one version of it (`…@7`)."
    ),
    OpenApiParameter(
        "rating", str, enum=["good", "bad", "rated"], description="Calls somebody rated so; `rated`: either."
    ),
    OpenApiParameter("trace", str, description="The id of a client's trace, 32 digits: of its `traceparent`."),
]
_CURSOR = OpenApiParameter("cursor", str, description="`next` of the page before.")
_LIMIT = OpenApiParameter("limit", int, description="Records a page, 1 to 200; 50 when missing.")


def _beside(caller: Caller, events: Collection[AuditEvent]) -> dict[str, Any]:
    """Return what the shapes of these records need besides: who reads them, and what was said of them."""
    return {"caller": caller, "ratings": ratings_of([event.pk for event in events])}


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
        said = self.context["ratings"].get(event.pk, [])
        reads = {"reads": caller.may("read_content", event.team_id)}
        return SaidSerializer(said, many=True, context=reads).data  # type: ignore[return-value]

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


class _Filtered(Endpoint):
    """A view of what the filter finds. A filter that is not known is refused: without it too much would be shown."""

    needs = "view_audit"

    def _form(self, *more: str) -> AuditFilterForm:
        given = self.request._request.GET
        sight = access.sight_for(self.caller, given.get("team", ""))
        form = AuditFilterForm(given, sight=sight)
        known = {*form.fields, "team", *more}
        if unknown := sorted(set(given) - known):
            name = unknown[0][:60]
            raise BadInput(f"{name!r} is not a filter here; known are {', '.join(sorted(known))}.", param=name)
        for name, complaints in form.errors.items():
            raise BadInput(str(complaints[0]), param=name)
        return form


class Events(_Filtered):
    @extend_schema(
        operation_id="list_audit_events",
        summary="List records of the log, the newest first, without content",
        parameters=[*_FILTERS, _CURSOR, _LIMIT],
        responses=listed(EventSerializer),
    )
    def get(self, request: Any) -> Response:
        form = self._form("cursor", "limit")
        cursor = parse_cursor(request.query_params.get("cursor", ""))
        criteria = form.criteria()
        if criteria.text and criteria.content_team_ids != ():
            services.search_content(actor=self.actor, team=form.sight.scope, text=criteria.text)
        shown = listing(criteria, cursor, rows=limit_of(request))
        onwards = shown.newer if cursor and not cursor.is_older else shown.older
        events = [line.event for line in shown.lines]
        data = EventSerializer(events, many=True, context=_beside(self.caller, events)).data
        return Response({"data": data, "next": onwards or shown.go_on})


class OneEvent(Endpoint):
    needs = "view_audit"

    @extend_schema(summary="Show a record, without its content", responses=SealedEventSerializer)
    def get(self, request: Any, reference: str) -> Response:
        found = record(access.event_for(self.caller, reference))
        seal = found.seal.number if found.seal else None
        said = EventSerializer(found.event, context=_beside(self.caller, [found.event])).data
        return Response({**said, "seal": seal})


class Content(Endpoint):
    needs = "read_content"

    @extend_schema(summary="Read a record's input and output; that is recorded", responses=ContentSerializer)
    def get(self, request: Any, reference: str) -> Response:
        event = access.event_for(self.caller, reference, to="read_content")
        services.read_content(actor=self.actor, event=event)
        bodies = {pane.kind: pane.payload for pane in contents.panes(event)}
        said = {"request_id": request_id(event.pk), "input": bodies.get("input"), "output": bodies.get("output")}
        return Response(ContentSerializer(said).data)


class Export(_Filtered):
    content_negotiation_class = AnyForm

    @extend_schema(
        summary="Stream all records of a filter as a file; that is recorded",
        parameters=[
            *_FILTERS,
            OpenApiParameter("format", str, enum=["csv", "jsonl"], default="csv"),
            OpenApiParameter("content", str, enum=["1"], description="With inputs and outputs."),
        ],
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            (200, "application/jsonl"): OpenApiResponse(OpenApiTypes.STR),
        },
    )
    def get(self, request: Any) -> HttpResponseBase:
        return send_export(cast(TeamRequest, self.request._request), self._form("format", "content"))


class Seals(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="list_audit_seals",
        summary="List the blocks that seal the log, the latest first",
        parameters=[_CURSOR, OpenApiParameter("limit", int)],
        responses=SealsSerializer,
    )
    def get(self, request: Any) -> Response:
        limit, cursor = limit_of(request), request.query_params.get("cursor", "")
        rows = Seal.objects.order_by("-number")
        if cursor:
            before = number(cursor, None)
            if before is None:
                raise BadInput("cursor is not one this API gave out; leave it out to begin again.", param="cursor")
            rows = rows.filter(number__lt=before)
        found = list(rows[: limit + 1])
        serializer = OperatorSealSerializer if self.caller.is_operator else SealSerializer
        present = state()
        return Response(
            {
                "data": serializer(found[:limit], many=True).data,
                "next": str(found[limit - 1].number) if len(found) > limit else None,
                "sealed_at": present.sealed_at,
                "verified_at": present.verified_at,
                "problem": present.problem,
                "archived_number": present.archived_number if settings.AUDIT_S3_URL else 0,
                "archived_at": present.archived_at if settings.AUDIT_S3_URL else None,
                "archive_problem": present.archive_problem if settings.AUDIT_S3_URL else "",
            }
        )


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


class Chain(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="audit_chain",
        summary="Show the head of the chain that seals the log, and how it was last checked",
        responses=AuditChainSerializer,
    )
    def get(self, request: Any) -> Response:
        present, head = state(), checks.head()
        shown = ChainCheckSerializer(checks.last_checks(), many=True, context={"is_operator": self.caller.is_operator})
        return Response(
            {
                "head": HeadSerializer(head).data if head else None,
                "verified_at": present.verified_at,
                "whole_at": present.whole_at,
                "problem": present.problem,
                "problem_at": present.problem_at,
                "checks": shown.data,
            }
        )


class ChainChecks(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="check_audit_chain",
        summary="Check the whole chain in the background; one check at a time",
        request=None,
        responses={202: ChainCheckSerializer},
    )
    def post(self, request: Any) -> Response:
        made = checks.start(actor=self.actor, is_operator=self.caller.is_operator)
        return Response(ChainCheckSerializer(made, context={"is_operator": self.caller.is_operator}).data, status=202)


class KeptHeads(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="look_for_audit_head",
        summary="Say whether a head somebody kept is part of the chain",
        request=KeptHeadSerializer,
        responses=KeptSerializer,
    )
    def post(self, request: Any) -> Response:
        return Response(KeptSerializer(checks.look_for(self.read(KeptHeadSerializer)["head"])._asdict()).data)


urlpatterns = [
    path("audit/events/", Events.as_view(), name="audit_events"),
    path("audit/events/<str:reference>/", OneEvent.as_view(), name="audit_event"),
    path("audit/events/<str:reference>/content/", Content.as_view(), name="audit_event_content"),
    path("audit/export/", Export.as_view(), name="audit_export"),
    path("audit/seals/", Seals.as_view(), name="audit_seals"),
    path("audit/chain/", Chain.as_view(), name="audit_chain"),
    path("audit/chain/checks/", ChainChecks.as_view(), name="audit_chain_checks"),
    path("audit/chain/heads/", KeptHeads.as_view(), name="audit_chain_heads"),
]
