"""Approvals: the inbox, one with its exact arguments, and the decision, which only people make."""

import uuid
from functools import cache
from typing import Any

from django.core.exceptions import PermissionDenied
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents_app import access
from agents_app.models import Approval
from agents_app.queries.approvals import MOST_WAITING
from agents_app.services import approvals as services
from console.api.manage.base import Endpoint, Strict, listed
from console.api.manage.runs.shapes import ApprovalDetailSerializer, ApprovalSerializer
from console.api.pagination import page_of
from console.core.clock import now
from console.core.errors import BadInput
from console.teams.rights import rights_of_actor

State = Approval.State
_AT_HAND = ("run__agent__team", "run__version", "step", "team")
APPROVE, REJECT = "approve", "reject"


class ApprovalDecisionSerializer(Strict):
    decision = serializers.ChoiceField([APPROVE, REJECT])
    sha256 = serializers.CharField(help_text="Of what was looked at: the decision is for exactly that.")
    message = serializers.CharField(required=False, allow_blank=True, default="", help_text="To the agent.")
    arguments = serializers.DictField(
        required=False, allow_null=True, help_text="Approve with these instead; only what is editable may differ."
    )
    answer = serializers.DictField(
        required=False,
        allow_null=True,
        help_text="To a question: what its form asks for. Of a call nobody knows the end of: outcome (done or "
        "not_done) and result.",
    )


class OneOfSeveralSerializer(ApprovalDecisionSerializer):
    id = serializers.UUIDField()


class ApprovalDecisionsSerializer(Strict):
    decisions = serializers.ListField(child=OneOfSeveralSerializer(), allow_empty=False, max_length=MOST_WAITING)


class RefusedDecisionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    code = serializers.CharField()
    message = serializers.CharField()


class DecidedSerializer(serializers.Serializer[Any]):
    decided = serializers.ListField(child=serializers.UUIDField())
    refused = RefusedDecisionSerializer(many=True, help_text="What could not be decided. All others are.")


class MoreTimeSerializer(Strict):
    seconds = serializers.IntegerField(help_text="From now: a minute to 30 days.")


class ApprovalEndpoint(Endpoint):
    needs = "view_team"

    def approval(self, pk: uuid.UUID) -> Approval:
        return access.approval_for(self.caller, pk)

    def answer(self, pk: uuid.UUID) -> Response:
        return Response(ApprovalDetailSerializer(self.approval(pk), context={"caller": self.caller}).data)


class Approvals(ApprovalEndpoint):
    @extend_schema(
        operation_id="list_approvals",
        summary="List approvals, newest first",
        parameters=[
            OpenApiParameter("team", str, description="Of this team's agents."),
            OpenApiParameter("agent", str, description="Of this agent."),
            OpenApiParameter("state", str, enum=State.values, description="waiting: what can still be decided."),
            OpenApiParameter("kind", str, enum=Approval.Kind.values),
            OpenApiParameter("mine", bool, description="true: only what the caller may decide, as in the inbox."),
        ],
        responses=listed(ApprovalSerializer),
    )
    def get(self, request: Any) -> Response:
        rows = access.approvals_for(self.caller, "decide" if self.flag("mine") else "view")
        rows = self.of_team(rows.select_related(*_AT_HAND))
        if agent := request.query_params.get("agent"):
            rows = rows.filter(run__agent__slug=agent)
        state, kind = self.choice("state", State.values), self.choice("kind", Approval.Kind.values)
        rows = rows.filter(**{name: value for name, value in (("state", state), ("kind", kind)) if value})
        if state == State.WAITING:
            rows = rows.filter(expires_at__gt=now())
        approvals, after = page_of(request, rows)
        context = {"caller": self.caller, "rights_in": cache(rights_of_actor)}
        data = ApprovalSerializer(approvals, many=True, context=context)
        return Response({"data": data.data, "next": after})


class OneApproval(ApprovalEndpoint):
    @extend_schema(
        operation_id="approval",
        summary="Show an approval with its exact arguments",
        responses=ApprovalDetailSerializer,
    )
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return self.answer(pk)


def _check_rejection(body: dict[str, Any], path: str = "") -> None:
    for name in ("arguments", "answer"):
        if body["decision"] == REJECT and body.get(name) is not None:
            raise BadInput(f"Who rejects gives no {name}.", param=f"{path}{name}")


class Decide(ApprovalEndpoint):
    @extend_schema(
        operation_id="decide_approval",
        summary="Approve, approve with other arguments, or reject; once",
        request=ApprovalDecisionSerializer,
        responses=ApprovalDetailSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        approval = self.approval(pk)
        services.check_may_decide(self.actor, approval)
        body = self.read(ApprovalDecisionSerializer)
        is_approved = body["decision"] == APPROVE
        _check_rejection(body)
        services.decide_approval(
            actor=self.actor,
            approval=approval,
            is_approved=is_approved,
            seen_sha256=body["sha256"],
            message=body["message"],
            edited_arguments=body.get("arguments"),
            answer=body.get("answer"),
        )
        return self.answer(pk)


class DecideSeveral(ApprovalEndpoint):
    @extend_schema(
        operation_id="decide_approvals",
        summary="Decide several approvals, each by itself",
        request=ApprovalDecisionsSerializer,
        responses=DecidedSerializer,
    )
    def post(self, request: Any) -> Response:
        bodies = self.read(ApprovalDecisionsSerializer)["decisions"]
        if self.caller.user is None:
            raise PermissionDenied("Approvals are decided by people.")
        for number, body in enumerate(bodies):
            _check_rejection(body, f"decisions.{number}.")
        if len({body["id"] for body in bodies}) < len(bodies):
            raise BadInput("An approval is decided once, so name each once.", param="decisions")
        decisions = [
            services.Decision(
                approval_id=body["id"],
                is_approved=body["decision"] == APPROVE,
                seen_sha256=body["sha256"],
                message=body["message"],
                edited_arguments=body.get("arguments"),
                answer=body.get("answer"),
            )
            for body in bodies
        ]
        refused = services.decide_several(actor=self.actor, decisions=decisions, find=self.approval)
        return Response(
            {
                "decided": [body["id"] for body in bodies if body["id"] not in refused],
                "refused": [
                    {"id": pk, "code": getattr(why, "code", "policy_denied"), "message": str(why)}
                    for pk, why in refused.items()
                ],
            }
        )


class Extend(ApprovalEndpoint):
    @extend_schema(
        operation_id="extend_approval",
        summary="Give people more time to decide",
        request=MoreTimeSerializer,
        responses=ApprovalDetailSerializer,
    )
    def post(self, request: Any, pk: uuid.UUID) -> Response:
        approval = self.approval(pk)
        services.check_may_decide(self.actor, approval)
        services.extend_approval(actor=self.actor, approval=approval, seconds=self.read(MoreTimeSerializer)["seconds"])
        return self.answer(pk)


urlpatterns = [
    path("approvals/", Approvals.as_view(), name="approvals"),
    path("approvals/decide/", DecideSeveral.as_view(), name="decide_approvals"),
    path("approvals/<uuid:pk>/", OneApproval.as_view(), name="approval"),
    path("approvals/<uuid:pk>/decide/", Decide.as_view(), name="decide_approval"),
    path("approvals/<uuid:pk>/extend/", Extend.as_view(), name="extend_approval"),
]
