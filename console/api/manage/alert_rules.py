"""Alert rules for errors and latency, of a team or of the installation."""

import uuid
from typing import Any

from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from console.api.manage.base import Endpoint, Strict, listed, seen_revision
from console.notices.access import owner_for
from console.teams.models import Environment
from usage_app import access
from usage_app.models import AlertRule, RuleMetric
from usage_app.services import alert_rules as services
from usage_app.services.alert_rules import MOST, MOST_CALLS, MOST_MINUTES

_TEAM = OpenApiParameter("team", str, description="Only this team, by its short name.")


class AlertRuleSerializer(serializers.ModelSerializer[AlertRule]):
    team = serializers.SlugField(
        source="team.slug", default=None, allow_null=True, help_text="Null: calls of all teams together."
    )

    class Meta:
        model = AlertRule
        fields = [
            "id", "team", "metric", "environment", "alias", "threshold", "minutes", "least_calls", "alerting_since",
            "told_at", "revision", "created_at",
        ]  # fmt: skip


def _threshold(**more: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1, max_value=max(MOST.values()), help_text="Percent for errors, milliseconds for latency.", **more
    )


def _minutes(**more: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1, max_value=MOST_MINUTES, help_text="How many of the last minutes are looked at.", **more
    )


def _least_calls(**more: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1, max_value=MOST_CALLS, help_text="With fewer in these minutes, nothing is told.", **more
    )


class NewAlertRuleSerializer(Strict):
    team = serializers.SlugField(
        default=None, allow_null=True, help_text="The team's short name; null, for operators: all teams together."
    )
    metric = serializers.ChoiceField(choices=RuleMetric.choices)
    environment = serializers.ChoiceField(choices=Environment.choices, default=Environment.PRODUCTION.value)
    alias = serializers.CharField(
        max_length=100, default="", allow_blank=True, help_text="Only calls of this alias; empty for all calls."
    )
    threshold = _threshold()
    minutes = _minutes(default=10)
    least_calls = _least_calls(default=20)


class AlertRuleChangeSerializer(Strict):
    threshold = _threshold(required=False)
    minutes = _minutes(required=False)
    least_calls = _least_calls(required=False)
    seen_revision = seen_revision()


class AlertRules(Endpoint):
    needs = access.ALERTS

    @extend_schema(
        operation_id="list_alert_rules",
        summary="List the alert rules",
        parameters=[_TEAM],
        responses=listed(AlertRuleSerializer),
    )
    def get(self, request: Any) -> Response:
        scope = self.asked_team(access.ALERTS)
        rows = access.rules_for(self.caller)
        return self.page(rows.filter(team=scope) if scope else rows, AlertRuleSerializer)

    @extend_schema(
        summary="Have people told when calls fail or are slow",
        request=NewAlertRuleSerializer,
        responses={201: AlertRuleSerializer},
    )
    def post(self, request: Any) -> Response:
        body = self.read(NewAlertRuleSerializer)
        body["team"] = owner_for(self.caller, body["team"])
        return Response(AlertRuleSerializer(services.create_rule(actor=self.actor, **body)).data, status=201)


class OneAlertRule(Endpoint):
    needs = access.ALERTS

    @extend_schema(summary="Show an alert rule", responses=AlertRuleSerializer)
    def get(self, request: Any, pk: uuid.UUID) -> Response:
        return Response(AlertRuleSerializer(access.rule_for(self.caller, pk)).data)

    @extend_schema(summary="Change an alert rule", request=AlertRuleChangeSerializer, responses=AlertRuleSerializer)
    def patch(self, request: Any, pk: uuid.UUID) -> Response:
        body = self.read(AlertRuleChangeSerializer)
        rule = services.change_rule(actor=self.actor, rule=access.rule_for(self.caller, pk), **body)
        return Response(AlertRuleSerializer(rule).data)

    @extend_schema(summary="Remove an alert rule", responses={204: None})
    def delete(self, request: Any, pk: uuid.UUID) -> Response:
        services.delete_rule(actor=self.actor, rule=access.rule_for(self.caller, pk))
        return Response(status=204)


urlpatterns = [
    path("alerts/rules/", AlertRules.as_view(), name="alert_rules"),
    path("alerts/rules/<uuid:pk>/", OneAlertRule.as_view(), name="alert_rule"),
]
