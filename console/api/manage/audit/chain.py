"""The hash chain of the log: blocks, head, checks, and verification of heads kept elsewhere."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.audit.shapes import (
    CURSOR,
    AuditChainSerializer,
    ChainCheckSerializer,
    HeadSerializer,
    KeptHeadSerializer,
    KeptSerializer,
    OperatorSealSerializer,
    SealSerializer,
    SealsSerializer,
)
from console.api.manage.base import Endpoint
from console.api.pagination import limit_of
from console.audit.models import Seal
from console.audit.services import checks
from console.audit.services.seal import state
from console.core.errors import BadInput
from console.core.parsing import number


class Seals(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="list_audit_seals",
        summary="List the blocks that seal the log, the latest first",
        parameters=[CURSOR, OpenApiParameter("limit", int)],
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
        page = list(rows[: limit + 1])
        serializer = OperatorSealSerializer if self.caller.is_operator else SealSerializer
        present = state()
        return Response(
            {
                "data": serializer(page[:limit], many=True).data,
                "next": str(page[limit - 1].number) if len(page) > limit else None,
                "sealed_at": present.sealed_at,
                "verified_at": present.verified_at,
                "problem": present.problem,
                "archived_number": present.archived_number if settings.AUDIT_S3_URL else 0,
                "archived_at": present.archived_at if settings.AUDIT_S3_URL else None,
                "archive_problem": present.archive_problem if settings.AUDIT_S3_URL else "",
            }
        )


class Chain(Endpoint):
    needs = "view_audit"

    @extend_schema(
        operation_id="audit_chain",
        summary="Show the head of the chain that seals the log, and how it was last checked",
        responses=AuditChainSerializer,
    )
    def get(self, request: Any) -> Response:
        present, head = state(), checks.head()
        rows = ChainCheckSerializer(checks.last_checks(), many=True, context={"is_operator": self.caller.is_operator})
        return Response(
            {
                "head": HeadSerializer(head).data if head else None,
                "verified_at": present.verified_at,
                "whole_at": present.whole_at,
                "problem": present.problem,
                "problem_at": present.problem_at,
                "checks": rows.data,
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
        check = checks.start(actor=self.actor, is_operator=self.caller.is_operator)
        return Response(ChainCheckSerializer(check, context={"is_operator": self.caller.is_operator}).data, status=202)


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
