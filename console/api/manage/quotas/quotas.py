"""Quotas, temporary increases, and what is left."""

import uuid
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from console.api.manage.base import Endpoint
from console.api.manage.quotas.shapes import (
    EndUserUsePageSerializer,
    EndUserUseSerializer,
    IncreaseSerializer,
    NewIncreaseSerializer,
    NewQuotaSerializer,
    QuotaChangeSerializer,
    QuotaPageSerializer,
    QuotaSerializer,
    amount_in,
    end_user_data,
    said_increase,
    state_data,
)
from console.api.pagination import page_of
from console.audit.redaction import kept_name
from console.catalog.access import aliases_for
from console.core.clock import now
from console.core.errors import BadInput, NotFound
from console.teams.access import key_for, team_for, teams_for
from console.teams.models import ApiKey, Team
from usage_app import access
from usage_app.models import Quota
from usage_app.queries.quota_state import QuotaState
from usage_app.queries.quotas import of_end_users, remaining, states
from usage_app.scopes import subject_of
from usage_app.services import quotas

_TEAM = OpenApiParameter("team", str, description="Only this team, by its short name.")
_ALIAS = OpenApiParameter("alias", str, description="Only what counts calls of this alias.")
_AGENT = OpenApiParameter("agent", str, description="With what counts calls of this agent.")

_END_USER = OpenApiParameter("end_user", str, description="With what this end user has left, by the whole name.")

_INSIDE = ("key", "alias", "agent", "widget")  # what a quota can be of besides a whole team


def _all(quota_states: list[QuotaState]) -> list[Any]:
    return list(QuotaSerializer([state_data(state) for state in quota_states], many=True).data)


def _shape(quota: Quota, status: int = 200) -> Response:
    (shape,) = _all(states(Quota.objects.filter(pk=quota.pk).select_related("team", "key"), now=now()))
    return Response(shape, status=status)


class Quotas(Endpoint):
    needs, needs_to = "view_usage", {"POST": "manage_quotas"}

    @extend_schema(
        operation_id="list_quotas",
        summary="List quotas and how much of each is used",
        parameters=[_TEAM],
        responses=QuotaPageSerializer,
    )
    def get(self, request: Any) -> Response:
        scope = self.asked_team("view_usage")
        teams = [scope] if scope else list(teams_for(self.caller, "view_usage"))
        quotas, after = page_of(request, Quota.objects.filter(team__in=teams), key="public_id")
        rows = Quota.objects.filter(pk__in=[quota.pk for quota in quotas]).select_related("team", "key")
        return Response({"data": _all(states(rows.order_by("-public_id"), now=now())), "next": after})

    @extend_schema(
        summary="Limit a team, or one key, alias, agent or widget inside it",
        request=NewQuotaSerializer,
        responses={201: QuotaSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewQuotaSerializer)
        team = team_for(self.caller, body["team"], to="view_usage")
        access.check_may_set(self.caller, team, team_wide=not any(body[name] for name in (*_INSIDE, "each_end_user")))
        quota = quotas.set_quota(
            actor=self.actor,
            team=team,
            metric=body["metric"],
            window=body["window"],
            limit=amount_in(body["metric"], body["limit"], "limit"),
            mode=body["mode"],
            key=self._key(body["key"]) if body["key"] else None,
            alias=self._alias(body["alias"], team) if body["alias"] else "",
            agent=subject_of(team, "agent", body["agent"]).value if body["agent"] else "",
            widget=subject_of(team, "widget", str(body["widget"])) if body["widget"] else None,
            purpose=body["purpose"],
            each_end_user=body["each_end_user"],
            nameless=body["nameless"],
        )
        return _shape(quota, 201)

    def _key(self, key_id: uuid.UUID) -> ApiKey:
        key = key_for(self.caller, key_id, to="view_usage")
        if key.revoked_at is not None:
            raise BadInput("This key is revoked; there is nothing left to limit.", param="key")
        return key

    def _alias(self, name: str, team: Team) -> str:
        if not aliases_for(self.caller, team).filter(name=name).exists():
            raise NotFound("The team has no such alias.", param="alias")
        return name


class OneQuota(Endpoint):
    needs, needs_to = "view_usage", {"PATCH": "manage_quotas", "DELETE": "manage_quotas"}

    @extend_schema(summary="Show a quota and how much of it is used", responses=QuotaSerializer)
    def get(self, request: Any, public_id: uuid.UUID) -> Response:
        return _shape(access.quota_for(self.caller, public_id))

    @extend_schema(
        summary="Change a quota's limit or mode; what was used stays counted",
        request=QuotaChangeSerializer,
        responses=QuotaSerializer,
    )
    def patch(self, request: Any, public_id: uuid.UUID) -> Response:
        quota = access.quota_for(self.caller, public_id, to="manage")
        body = self.read(QuotaChangeSerializer)
        if "limit" in body:
            body["limit"] = amount_in(quota.metric, body["limit"], "limit")
        return _shape(quotas.change_quota(actor=self.actor, quota=quota, **body))

    @extend_schema(summary="Lift a quota; its increases and alerts go with it", responses={204: None})
    def delete(self, request: Any, public_id: uuid.UUID) -> Response:
        quotas.remove_quota(actor=self.actor, quota=access.quota_for(self.caller, public_id, to="manage"))
        return Response(status=204)


class EndUsers(Endpoint):
    needs = "view_usage"

    @extend_schema(
        operation_id="list_quota_end_users",
        summary="Who used most of a limit for each end user, or what one of them has used",
        parameters=[OpenApiParameter("end_user", str, description="Only this one, by the whole name.")],
        responses=EndUserUsePageSerializer,
    )
    def get(self, request: Any, public_id: uuid.UUID) -> Response:
        quota = access.quota_for(self.caller, public_id)
        if not quota.each_end_user:
            raise NotFound("This quota is not for each end user.")
        (state,) = states(Quota.objects.filter(pk=quota.pk).select_related("team", "key"), now=now())
        uses = of_end_users(state, kept_name("", request.query_params.get("end_user", "")))
        data = EndUserUseSerializer([end_user_data(use) for use in uses], many=True).data
        return Response({"data": data, "next": None})


class Increases(Endpoint):
    needs = "manage_quotas"

    @extend_schema(
        summary="Raise a limit until a moment",
        request=NewIncreaseSerializer,
        responses={201: IncreaseSerializer},
    )
    def post(self, request: Any, public_id: uuid.UUID) -> Response:
        quota = access.quota_for(self.caller, public_id, to="manage")
        body = self.read(NewIncreaseSerializer)
        body["amount"] = amount_in(quota.metric, body["amount"], "amount")
        increase = quotas.increase_quota(actor=self.actor, quota=quota, **body)
        return Response(IncreaseSerializer(said_increase(increase, quota.metric)).data, status=201)


class OneIncrease(Endpoint):
    needs = "manage_quotas"

    @extend_schema(summary="End an increase now", responses={204: None})
    def delete(self, request: Any, public_id: uuid.UUID, pk: uuid.UUID) -> Response:
        increase = access.increase_for(self.caller, pk)
        if increase.quota.public_id != public_id:
            raise Http404("There is no such increase.")
        quotas.end_increase(actor=self.actor, increase=increase)
        return Response(status=204)


class Limits(Endpoint):
    needs = "view_usage"

    @extend_schema(
        operation_id="list_limits",
        summary="What is left for the calling key; for people, of the team they name",
        parameters=[_TEAM, _ALIAS, _AGENT, _END_USER],
        responses=QuotaPageSerializer,
    )
    def get(self, request: Any) -> Response:
        caller = self.caller
        team = self.asked_team("view_usage")
        if team is None and caller.key_id is not None:
            team = teams_for(caller, "view_usage").first()
        if team is None:
            raise BadInput("Name the team with ?team=.", param="team")
        alias, agent = request.query_params.get("alias") or None, request.query_params.get("agent")
        agent = "" if alias and agent is None else agent
        end_user = kept_name("", request.query_params.get("end_user", ""))
        limits = remaining(team.pk, caller.key_id, alias, agent=agent, end_user=end_user)
        return Response({"data": _all(limits), "next": None})
