"""The inventory of places where AI is used, and the expectations of those on Facet."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.touchpoints.shapes import (
    ExpectationChangeSerializer,
    ExpectationSerializer,
    TouchpointSerializer,
    TouchpointSignalsSerializer,
    TouchpointSummarySerializer,
)
from console.api.pagination import page_of_found
from console.touchpoints import access, queries
from console.touchpoints.export import as_dict
from console.touchpoints.models import Kind
from console.touchpoints.queries import FILTERS, Filters, Inventory
from console.touchpoints.rows import DAYS
from console.touchpoints.services import expectations
from console.touchpoints.signals import signals
from console.touchpoints.sources import Reach
from usage_app import amounts
from usage_app.models import Metric

TEAM = OpenApiParameter("team", str, description="Only this team's.")
FILTER_PARAMETERS = [
    TEAM,
    OpenApiParameter("kind", str, enum=Kind.values),
    OpenApiParameter("state", str, enum=list(FILTERS), description="Unless given, all but migrated and retired ones."),
    OpenApiParameter("q", str, description="Words of the name, owner, purpose, place or model."),
]


class InventoryEndpoint(Endpoint):
    needs = access.VIEW

    def reach(self) -> Reach:
        return access.reach_of(self.caller, self.asked_team(access.VIEW))

    def inventory(self) -> Inventory:
        return queries.inventory(self.reach())

    def filters(self) -> Filters:
        """Return the filters; a program is told of what is none, where a page shrugs."""
        kind, state = self.choice("kind", Kind.values), self.choice("state", FILTERS)
        return Filters.of(kind, state, self.request.query_params.get("q", ""))


class Touchpoints(InventoryEndpoint):
    @extend_schema(
        operation_id="list_touchpoints",
        summary="List every place where AI is used, newest first",
        parameters=FILTER_PARAMETERS,
        responses=listed(TouchpointSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = self.inventory().found(self.filters())
        found, after = page_of_found(request, rows, key=lambda row: row.id)
        return Response({"data": TouchpointSerializer(map(as_dict, found), many=True).data, "next": after})


class Summary(InventoryEndpoint):
    @extend_schema(
        operation_id="touchpoints_summary",
        summary="Say how many there are, miss what is expected, and are left to migrate",
        parameters=[TEAM],
        responses=TouchpointSummarySerializer,
    )
    def get(self, request: Any) -> Response:
        summary = self.inventory().summary
        names = ("total", "missed", "unset", "overlapping", "legacy_left", "legacy_done")
        content = {name: getattr(summary, name) for name in names}
        content["cost"] = amounts.for_input(Metric.COST, summary.cost_micros)
        content["legacy_spend_estimate"] = amounts.for_input(Metric.COST, summary.legacy_micros)
        return Response(TouchpointSummarySerializer(content).data)


class Signals(InventoryEndpoint):
    @extend_schema(
        operation_id="touchpoints_signals",
        summary="Say what became of the move: the last 30 days beside the 30 before",
        parameters=[TEAM],
        responses=TouchpointSignalsSerializer,
    )
    def get(self, request: Any) -> Response:
        return Response(TouchpointSignalsSerializer({"days": DAYS, "signals": signals(self.reach())}).data)


class OneExpectation(Endpoint):
    needs = access.EDIT

    @extend_schema(
        operation_id="set_expectation",
        summary="Say what is expected of a key, a widget or an agent",
        request=ExpectationChangeSerializer,
        responses=ExpectationSerializer,
    )
    def patch(self, request: Any, kind: str, pk: uuid.UUID) -> Response:
        subject = access.subject_for(self.caller, kind, pk, to=access.EDIT)
        body = self.read(ExpectationChangeSerializer)
        expectation = expectations.set_expectation(
            actor=self.actor, team=subject.team, kind=kind, subject_id=pk, name=subject.name, **body
        )
        return Response(ExpectationSerializer(expectation).data)

    @extend_schema(operation_id="clear_expectation", summary="Take back what was expected", responses={204: None})
    def delete(self, request: Any, kind: str, pk: uuid.UUID) -> Response:
        subject = access.subject_for(self.caller, kind, pk, to=access.EDIT)
        expectations.clear_expectation(actor=self.actor, kind=kind, subject_id=pk, name=subject.name)
        return Response(status=204)
