"""Audit records: list, one record, content, export. Reading content is itself recorded."""

from collections.abc import Collection
from typing import Any, cast

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.response import Response

from console.api.manage.audit.shapes import CURSOR, ContentSerializer, EventSerializer, SealedEventSerializer
from console.api.manage.base import AnyForm, Endpoint, listed
from console.api.pagination import limit_of
from console.audit.models import AuditEvent, EventType, Status
from console.core.errors import BadInput
from console.core.ids import request_id
from console.teams.callers import Caller, TeamRequest
from console.teams.models import Environment
from usage_app import access_audit as access
from usage_app.downloads import send_export
from usage_app.forms.audit import DAYS, RANGES, AuditFilterForm
from usage_app.queries.audit import content as contents
from usage_app.queries.audit.listing import listing, parse_cursor
from usage_app.queries.audit.ratings import ratings_of
from usage_app.queries.audit.record import record
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
_LIMIT = OpenApiParameter("limit", int, description="Records a page, 1 to 200; 50 when missing.")


def _beside(caller: Caller, events: Collection[AuditEvent]) -> dict[str, Any]:
    """Return what the shapes of these records need besides: who reads them, and what was said of them."""
    return {"caller": caller, "ratings": ratings_of([event.pk for event in events])}


class _Filtered(Endpoint):
    """A view of what the filter finds. A filter that is not known is refused: without it too much would be shown."""

    needs = "view_audit"

    def _form(self, *more: str) -> AuditFilterForm:
        parameters = self.request._request.GET
        sight = access.sight_for(self.caller, parameters.get("team", ""))
        form = AuditFilterForm(parameters, sight=sight)
        names = {*form.fields, "team", *more}
        if unknown := sorted(set(parameters) - names):
            name = unknown[0][:60]
            raise BadInput(f"{name!r} is not a filter here; known are {', '.join(sorted(names))}.", param=name)
        for name, complaints in form.errors.items():
            raise BadInput(str(complaints[0]), param=name)
        return form


class Events(_Filtered):
    @extend_schema(
        operation_id="list_audit_events",
        summary="List records of the log, the newest first, without content",
        parameters=[*_FILTERS, CURSOR, _LIMIT],
        responses=listed(EventSerializer),
    )
    def get(self, request: Any) -> Response:
        form = self._form("cursor", "limit")
        cursor = parse_cursor(request.query_params.get("cursor", ""))
        criteria = form.criteria()
        if criteria.text and criteria.content_team_ids != ():
            services.search_content(actor=self.actor, team=form.sight.scope, text=criteria.text)
        page = listing(criteria, cursor, rows=limit_of(request))
        onwards = page.newer if cursor and not cursor.is_older else page.older
        events = [line.event for line in page.lines]
        data = EventSerializer(events, many=True, context=_beside(self.caller, events)).data
        return Response({"data": data, "next": onwards or page.go_on})


class OneEvent(Endpoint):
    needs = "view_audit"

    @extend_schema(summary="Show a record, without its content", responses=SealedEventSerializer)
    def get(self, request: Any, reference: str) -> Response:
        found = record(access.event_for(self.caller, reference))
        seal = found.seal.number if found.seal else None
        content = EventSerializer(found.event, context=_beside(self.caller, [found.event])).data
        return Response({**content, "seal": seal})


class Content(Endpoint):
    needs = "read_content"

    @extend_schema(summary="Read a record's input and output; that is recorded", responses=ContentSerializer)
    def get(self, request: Any, reference: str) -> Response:
        event = access.event_for(self.caller, reference, to="read_content")
        services.read_content(actor=self.actor, event=event)
        bodies = {pane.kind: pane.payload for pane in contents.panes(event)}
        content = {"request_id": request_id(event.pk), "input": bodies.get("input"), "output": bodies.get("output")}
        return Response(ContentSerializer(content).data)


class Export(_Filtered):
    content_negotiation_class = AnyForm

    @extend_schema(
        summary="Stream all records of a filter as a file; that is recorded",
        description="After an hour it ends with a line that says it is incomplete, and the `until` to go on with.",
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
