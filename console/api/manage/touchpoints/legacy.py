"""Places that are not on Facet."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, listed
from console.api.manage.touchpoints.inventory import TEAM
from console.api.manage.touchpoints.shapes import (
    LegacyImportedSerializer,
    LegacyImportSerializer,
    LegacyTouchpointChangeSerializer,
    LegacyTouchpointSerializer,
    NewLegacyTouchpointSerializer,
)
from console.teams import access as teams_access
from console.touchpoints import access, spreadsheet
from console.touchpoints.fields import spend
from console.touchpoints.models import LegacyTouchpoint, Status
from console.touchpoints.services import legacy


class LegacyEndpoint(Endpoint):
    needs = access.VIEW

    def fields(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return the fields as services take them."""
        body = self.read(serializer)
        if "spend" in body:
            body["spend_micros"] = spend(body.pop("spend") or "")
        return body

    def answer(self, legacy: LegacyTouchpoint, *, status: int = 200) -> Response:
        return Response(LegacyTouchpointSerializer(legacy).data, status=status)


class Legacy(LegacyEndpoint):
    needs_to = {"POST": access.EDIT}

    @extend_schema(
        operation_id="list_legacy_touchpoints",
        summary="List the places that are not on Facet, newest first",
        parameters=[TEAM, OpenApiParameter("status", str, enum=Status.values)],
        responses=listed(LegacyTouchpointSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.legacy_for(self.caller)
        if team := self.asked_team(access.VIEW):
            rows = rows.filter(team=team)
        if status := self.choice("status", Status.values):
            rows = rows.filter(status=status)
        return self.page(rows, LegacyTouchpointSerializer)

    @extend_schema(
        operation_id="create_legacy_touchpoint",
        summary="List a place that is not on Facet",
        request=NewLegacyTouchpointSerializer,
        responses={201: LegacyTouchpointSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.fields(NewLegacyTouchpointSerializer)
        body["team"] = teams_access.team_for(self.caller, body["team"], to=access.EDIT)
        return self.answer(legacy.create_legacy(actor=self.actor, **body), status=201)


class OneLegacy(LegacyEndpoint):
    needs_to = {"PATCH": access.EDIT, "DELETE": access.EDIT}

    @extend_schema(operation_id="show_legacy_touchpoint", summary="Show one", responses=LegacyTouchpointSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.answer(access.legacy_one_for(self.caller, pk))

    @extend_schema(
        operation_id="change_legacy_touchpoint",
        summary="Change one, or say that it is migrated and to what",
        request=LegacyTouchpointChangeSerializer,
        responses=LegacyTouchpointSerializer,
    )
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        one = access.legacy_one_for(self.caller, pk, to=access.EDIT)
        body = self.fields(LegacyTouchpointChangeSerializer)
        revision = body.pop("revision")
        if "replaced_by" in body:
            by = body["replaced_by"]
            body["replaced_by"] = f"{by['kind']}:{by['id']}" if by else ""
        return self.answer(legacy.change_legacy(actor=self.actor, legacy=one, seen_revision=revision, **body))

    @extend_schema(operation_id="remove_legacy_touchpoint", summary="Take one off the list", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        legacy.remove_legacy(actor=self.actor, legacy=access.legacy_one_for(self.caller, pk, to=access.EDIT))
        return Response(status=204)


class ImportLegacy(Endpoint):
    needs = access.EDIT

    @extend_schema(
        operation_id="import_legacy_touchpoints",
        summary="List many from CSV: all of them, or with one that cannot be, none",
        request=LegacyImportSerializer,
        responses={201: LegacyImportedSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(LegacyImportSerializer)
        team = teams_access.team_for(self.caller, body["team"], to=access.EDIT)
        rows, skipped = legacy.import_legacy(
            actor=self.actor, team=team, rows=spreadsheet.read(body["csv"]), skip_known=body["skip_known"]
        )
        return Response({"imported": rows, "skipped": skipped}, status=201)
