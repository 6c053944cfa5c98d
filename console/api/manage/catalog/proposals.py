"""Changes that wait for a second person."""

import uuid
from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.catalog import access
from console.catalog.models import PinProposal
from console.catalog.services import pins
from console.teams.access import OPERATOR


class ProposalSerializer(serializers.ModelSerializer[PinProposal]):
    alias = serializers.CharField(source="alias.name")
    decision = serializers.CharField(help_text="approved, rejected or withdrawn; empty while it waits.")

    class Meta:
        model = PinProposal
        fields = [
            "id", "alias", "environment", "verb", "arguments", "sentence", "reason", "seen_revision",
            "proposed_by_name", "proposed_at", "decision", "decided_by_name", "decided_at", "decision_reason",
        ]  # fmt: skip


class ProposalDecisionSerializer(Strict):
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class Proposals(Endpoint):
    needs = OPERATOR

    @extend_schema(
        operation_id="list_proposals",
        summary="List proposed changes of pins",
        parameters=[OpenApiParameter("open", bool, description="Only those that wait.")],
        responses=listed(ProposalSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.proposals_for(self.caller)
        if self.flag("open"):
            rows = rows.filter(decision="")
        return self.page(rows, ProposalSerializer)


class Approval(Endpoint):
    needs = OPERATOR

    @extend_schema(
        summary="Agree to what somebody else proposed, and carry it out",
        request=ProposalDecisionSerializer,
        responses=ProposalSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        proposal = access.proposal_for(self.caller, pk)
        decided = pins.approve_proposal(actor=self.actor, proposal=proposal, **self.read(ProposalDecisionSerializer))
        return Response(ProposalSerializer(decided).data)


class Rejection(Endpoint):
    needs = OPERATOR

    @extend_schema(
        summary="Reject a proposal, or take back one's own",
        request=ProposalDecisionSerializer,
        responses=ProposalSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        proposal = access.proposal_for(self.caller, pk)
        decided = pins.reject_proposal(actor=self.actor, proposal=proposal, **self.read(ProposalDecisionSerializer))
        return Response(ProposalSerializer(decided).data)


urlpatterns = [
    path("proposals/", Proposals.as_view(), name="proposals"),
    path("proposals/<uuid:pk>/approve/", Approval.as_view(), name="approve_proposal"),
    path("proposals/<uuid:pk>/reject/", Rejection.as_view(), name="reject_proposal"),
]
