"""Quotas, their increases, and what is left of them."""

import re
import uuid
from typing import Any

from django.conf import settings
from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed
from console.api.pagination import page_of
from console.catalog.access import aliases_for
from console.core.clock import now
from console.core.errors import BadInput, NotFound
from console.teams.access import key_for, scope_for, team_for, teams_for
from console.teams.models import ApiKey, Team
from usage_app import access, amounts
from usage_app.models import Metric, Mode, Purpose, Quota, QuotaIncrease, Window
from usage_app.queries.quotas import QuotaState, remaining, states
from usage_app.scopes import subject_of
from usage_app.services import quotas

_DECIMAL = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?", re.ASCII)
_TEAM = OpenApiParameter("team", str, description="Only this team, by its short name.")
_ALIAS = OpenApiParameter("alias", str, description="Only what counts calls of this alias.")
_AGENT = OpenApiParameter("agent", str, description="With what counts calls of this agent.")

_INSIDE = ("key", "alias", "agent", "widget")  # what a quota can be of besides a whole team


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "example": "2200.00"}, {"type": "integer"}],
        "description": "Of cost a decimal string in currency units, of everything else a whole number.",
    }
)
class AmountField(serializers.Field[Any, Any, Any, Any]):
    """An amount as it was sent; `_amount` reads it once the metric is known."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError("Send a decimal string for cost, a whole number for everything else.")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _amount(metric: str, given: str | int, param: str) -> int:
    """Return what was sent in the metric's own unit."""
    if metric != Metric.COST:
        if isinstance(given, str):
            raise BadInput(f"{param} of {metric} is a whole number, not a string.", param=param)
        return given
    if not isinstance(given, str) or not _DECIMAL.fullmatch(given):
        raise BadInput(
            f'{param} of cost is a decimal string in {settings.CURRENCY} with at most six places, such as "2200.00".',
            param=param,
        )
    try:
        return amounts.parse(metric, given)
    except ValueError as error:
        raise BadInput(str(error), param=param) from None


def _said_amount(metric: str, amount: int) -> str | int:
    return amounts.for_input(metric, amount) if metric == Metric.COST else amount


class IncreaseSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    amount = AmountField()
    reason = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class ForecastSerializer(serializers.Serializer[Any]):
    expected = AmountField(help_text="Used by the period's end if it goes on like this.")
    runs_out_at = serializers.DateTimeField(allow_null=True)


class QuotaSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    team = serializers.SlugField()
    key = serializers.UUIDField(allow_null=True, help_text="The key it limits, when it is not the team.")
    alias = serializers.CharField(help_text="The alias it limits; empty for all.")
    agent = serializers.CharField(help_text="The agent it limits, by its short name; empty for all.")
    widget = serializers.UUIDField(source="widget_id", allow_null=True, help_text="The widget it limits.")
    purpose = serializers.CharField(help_text="shadow: it counts copies sent to a shadow; empty: it counts calls.")
    metric = serializers.ChoiceField(choices=Metric.choices)
    window = serializers.ChoiceField(choices=Window.choices, allow_blank=True, help_text="Empty for concurrency.")
    mode = serializers.ChoiceField(choices=Mode.choices)
    limit = AmountField()
    limit_now = AmountField(help_text="The limit with the temporary increases in it.")
    used = AmountField()
    reserved = AmountField(help_text="Promised to calls that are open.")
    left = AmountField()
    forecast = ForecastSerializer(allow_null=True, help_text="Null while it is too early to tell.")
    period_start = serializers.DateTimeField(allow_null=True)
    period_end = serializers.DateTimeField(allow_null=True)
    increases = IncreaseSerializer(many=True)


QuotaPageSerializer = listed(QuotaSerializer)


class NewQuotaSerializer(Strict):
    team = serializers.SlugField(help_text="The team's short name.")
    metric = serializers.ChoiceField(choices=Metric.choices)
    window = serializers.ChoiceField(
        choices=Window.choices, default="", allow_blank=True, help_text="Leave it out for concurrency."
    )
    limit = AmountField()
    mode = serializers.ChoiceField(choices=Mode.choices, default=Mode.HARD)
    key = serializers.UUIDField(default=None, allow_null=True, help_text="Limit one key of the team.")
    alias = serializers.CharField(
        default="", allow_blank=True, max_length=100, help_text="Limit what the team calls by one alias."
    )
    agent = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=60,
        help_text="Limit what the team uses one agent, by its short name.",
    )
    widget = serializers.UUIDField(default=None, allow_null=True, help_text="Limit one widget of the team.")
    purpose = serializers.ChoiceField(
        choices=Purpose.choices,
        default="",
        allow_blank=True,
        help_text="shadow counts the copies pins send to a shadow.",
    )


class QuotaChangeSerializer(Strict):
    limit = AmountField(required=False)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False)


class NewIncreaseSerializer(Strict):
    amount = AmountField()
    reason = serializers.CharField(max_length=300)
    ends_at = serializers.DateTimeField()


def _said_increase(increase: QuotaIncrease, metric: str) -> dict[str, Any]:
    return {
        "id": increase.pk,
        "amount": _said_amount(metric, increase.amount),
        "reason": increase.reason,
        "starts_at": increase.starts_at,
        "ends_at": increase.ends_at,
        "created_by": increase.created_by_name,
    }


def _said(state: QuotaState) -> dict[str, Any]:
    """Return the state as QuotaSerializer shows it, amounts in the unit people use."""
    quota, metric, ahead = state.quota, state.quota.metric, state.forecast
    return {
        "id": quota.public_id,
        "team": quota.team.slug,
        "key": quota.key_id,
        "alias": quota.alias,
        "agent": quota.agent,
        "widget_id": quota.widget_id,
        "purpose": quota.purpose,
        "metric": metric,
        "window": quota.window,
        "mode": quota.mode,
        "limit": _said_amount(metric, quota.limit),
        "limit_now": _said_amount(metric, state.limit),
        "used": _said_amount(metric, state.used),
        "reserved": _said_amount(metric, state.reserved),
        "left": _said_amount(metric, state.left),
        "forecast": ahead and {"expected": _said_amount(metric, ahead.expected), "runs_out_at": ahead.runs_out_at},
        "period_start": state.period_start if state.period_end else None,
        "period_end": state.period_end,
        "increases": [_said_increase(increase, metric) for increase in state.increases],
    }


def _all(found: list[QuotaState]) -> list[Any]:
    return list(QuotaSerializer([_said(state) for state in found], many=True).data)


def _one(quota: Quota, status: int = 200) -> Response:
    (said,) = _all(states(Quota.objects.filter(pk=quota.pk).select_related("team", "key"), now=now()))
    return Response(said, status=status)


class Quotas(Endpoint):
    needs, needs_to = "view_usage", {"POST": "manage_quotas"}

    @extend_schema(
        operation_id="list_quotas",
        tags=["usage"],
        summary="List quotas and how much of each is used",
        parameters=[_TEAM],
        responses=QuotaPageSerializer,
    )
    def get(self, request: Any) -> Response:
        scope = scope_for(self.caller, request.query_params.get("team", ""), "view_usage")
        teams = [scope] if scope else list(teams_for(self.caller, "view_usage"))
        found, after = page_of(request, Quota.objects.filter(team__in=teams), key="public_id")
        rows = Quota.objects.filter(pk__in=[quota.pk for quota in found]).select_related("team", "key")
        return Response({"data": _all(states(rows.order_by("-public_id"), now=now())), "next": after})

    @extend_schema(
        tags=["usage"],
        summary="Limit a team, or one key, alias, agent or widget inside it",
        request=NewQuotaSerializer,
        responses={201: QuotaSerializer},
    )
    def post(self, request: Any) -> Response:
        given = self.read(NewQuotaSerializer)
        team = team_for(self.caller, given["team"], to="view_usage")
        access.check_may_set(self.caller, team, team_wide=not any(given[name] for name in _INSIDE))
        quota = quotas.set_quota(
            actor=self.actor,
            team=team,
            metric=given["metric"],
            window=given["window"],
            limit=_amount(given["metric"], given["limit"], "limit"),
            mode=given["mode"],
            key=self._key(given["key"]) if given["key"] else None,
            alias=self._alias(given["alias"], team) if given["alias"] else "",
            agent=subject_of(team, "agent", given["agent"]).value if given["agent"] else "",
            widget=subject_of(team, "widget", str(given["widget"])) if given["widget"] else None,
            purpose=given["purpose"],
        )
        return _one(quota, 201)

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

    @extend_schema(tags=["usage"], summary="Show a quota and how much of it is used", responses=QuotaSerializer)
    def get(self, request: Any, public_id: uuid.UUID) -> Response:
        return _one(access.quota_for(self.caller, public_id))

    @extend_schema(
        tags=["usage"],
        summary="Change a quota's limit or mode; what was used stays counted",
        request=QuotaChangeSerializer,
        responses=QuotaSerializer,
    )
    def patch(self, request: Any, public_id: uuid.UUID) -> Response:
        quota = access.quota_for(self.caller, public_id, to="manage")
        given = self.read(QuotaChangeSerializer)
        limit = _amount(quota.metric, given["limit"], "limit") if "limit" in given else None
        quota = quotas.change_quota(actor=self.actor, quota=quota, limit=limit, mode=given.get("mode"))
        return _one(quota)

    @extend_schema(tags=["usage"], summary="Lift a quota; its increases and alerts go with it", responses={204: None})
    def delete(self, request: Any, public_id: uuid.UUID) -> Response:
        quotas.remove_quota(actor=self.actor, quota=access.quota_for(self.caller, public_id, to="manage"))
        return Response(status=204)


class Increases(Endpoint):
    needs = "manage_quotas"

    @extend_schema(
        tags=["usage"],
        summary="Raise a limit until a moment",
        request=NewIncreaseSerializer,
        responses={201: IncreaseSerializer},
    )
    def post(self, request: Any, public_id: uuid.UUID) -> Response:
        quota = access.quota_for(self.caller, public_id, to="manage")
        given = self.read(NewIncreaseSerializer)
        given["amount"] = _amount(quota.metric, given["amount"], "amount")
        increase = quotas.increase_quota(actor=self.actor, quota=quota, **given)
        return Response(IncreaseSerializer(_said_increase(increase, quota.metric)).data, status=201)


class OneIncrease(Endpoint):
    needs = "manage_quotas"

    @extend_schema(tags=["usage"], summary="End an increase now", responses={204: None})
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
        tags=["usage"],
        summary="What is left for the calling key; for people, of the team they name",
        parameters=[_TEAM, _ALIAS, _AGENT],
        responses=QuotaPageSerializer,
    )
    def get(self, request: Any) -> Response:
        caller = self.caller
        team = scope_for(caller, request.query_params.get("team", ""), "view_usage")
        if team is None and caller.key_id is not None:
            team = teams_for(caller, "view_usage").first()
        if team is None:
            raise BadInput("Name the team with ?team=.", param="team")
        alias, agent = request.query_params.get("alias") or None, request.query_params.get("agent")
        found = remaining(team.pk, caller.key_id, alias, agent="" if alias and agent is None else agent)
        return Response({"data": _all(found), "next": None})


urlpatterns = [
    path("quotas/", Quotas.as_view(), name="quotas"),
    path("quotas/<uuid:public_id>/", OneQuota.as_view(), name="quota"),
    path("quotas/<uuid:public_id>/increases/", Increases.as_view(), name="increases"),
    path("quotas/<uuid:public_id>/increases/<uuid:pk>/", OneIncrease.as_view(), name="increase"),
    path("usage/limits/", Limits.as_view(), name="limits"),
]
