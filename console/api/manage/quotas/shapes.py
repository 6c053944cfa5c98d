"""Serializers of quotas, with amounts in the unit of their metric."""

import re
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.manage.base import Strict, listed, seen_revision
from console.core.errors import BadInput
from usage_app import amounts
from usage_app.models import Metric, Mode, Nameless, Purpose, QuotaIncrease, Window
from usage_app.queries.quota_state import EndUserUse, QuotaState

_DECIMAL = re.compile(r"[0-9]{1,16}(\.[0-9]{1,6})?", re.ASCII)


@extend_schema_field(
    {
        "oneOf": [{"type": "string", "example": "2200.00"}, {"type": "integer"}],
        "description": "Of cost a decimal string in currency units, of everything else a whole number.",
    }
)
class AmountField(serializers.Field[Any, Any, Any, Any]):
    """An amount as it was sent; `amount_in` reads it once the metric is known."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, bool) or not isinstance(data, str | int):
            raise serializers.ValidationError("Send a decimal string for cost, a whole number for everything else.")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def amount_in(metric: str, text: str | int, param: str) -> int:
    """Return what was sent in the unit it is kept in: of cost millionths of the currency, else what is counted."""
    if metric != Metric.COST:
        if isinstance(text, str):
            raise BadInput(f"{param} of {metric} is a whole number, not a string.", param=param)
        return text
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise BadInput(
            f'{param} of cost is a decimal string in {settings.CURRENCY} with at most six places, such as "2200.00".',
            param=param,
        )
    try:
        return amounts.parse(metric, text)
    except ValueError as error:
        raise BadInput(str(error), param=param) from None


def _said_amount(metric: str, amount: int) -> str | int:
    return amounts.for_input(metric, amount) if metric == Metric.COST else amount


class StandingSerializer(serializers.Serializer[Any]):
    at_limit = serializers.IntegerField(help_text="How many have used all of it; 1001 stands for more than 1000.")
    near = serializers.IntegerField(help_text="How many have used 80 % of it and not all; counted as far.")


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
    revision = serializers.IntegerField(help_text="Grows with every change.")
    limit_now = AmountField(help_text="The limit with the temporary increases in it.")
    each_end_user = serializers.BooleanField(help_text="Each end user has the limit for itself.")
    nameless = serializers.ChoiceField(
        choices=Nameless.choices, help_text="What becomes of calls that name no end user, where each has the limit."
    )
    end_users = StandingSerializer(allow_null=True, help_text="Where end users stand, of a limit for each.")
    used = AmountField(allow_null=True, help_text="Null of a limit for each end user, unless one is asked for.")
    reserved = AmountField(allow_null=True, help_text="Promised to calls that are open.")
    left = AmountField(allow_null=True)
    forecast = ForecastSerializer(allow_null=True, help_text="Null while it is too early to tell.")
    period_start = serializers.DateTimeField(allow_null=True)
    period_end = serializers.DateTimeField(allow_null=True)
    increases = IncreaseSerializer(many=True)


QuotaPageSerializer = listed(QuotaSerializer)


class EndUserUseSerializer(serializers.Serializer[Any]):
    end_user = serializers.CharField()
    used = AmountField()
    reserved = AmountField(help_text="Promised to calls that are open.")
    left = AmountField()


EndUserUsePageSerializer = listed(EndUserUseSerializer)


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
    each_end_user = serializers.BooleanField(default=False, help_text="Limit each end user for itself.")
    nameless = serializers.ChoiceField(
        choices=Nameless.choices,
        default=Nameless.PASS,
        help_text="What becomes of calls that name no end user, where each has the limit: pass, uncounted, or refuse.",
    )


class QuotaChangeSerializer(Strict):
    limit = AmountField(required=False)
    mode = serializers.ChoiceField(choices=Mode.choices, required=False)
    nameless = serializers.ChoiceField(choices=Nameless.choices, required=False)
    seen_revision = seen_revision()


class NewIncreaseSerializer(Strict):
    amount = AmountField()
    reason = serializers.CharField(max_length=300)
    ends_at = serializers.DateTimeField()


def said_increase(increase: QuotaIncrease, metric: str) -> dict[str, Any]:
    return {
        "id": increase.pk,
        "amount": _said_amount(metric, increase.amount),
        "reason": increase.reason,
        "starts_at": increase.starts_at,
        "ends_at": increase.ends_at,
        "created_by": increase.created_by_name,
    }


def end_user_data(use: EndUserUse) -> dict[str, Any]:
    metric, remaining = use.state.quota.metric, max(0, use.state.limit - use.used - use.reserved)
    return {
        "end_user": use.name,
        "used": _said_amount(metric, use.used),
        "reserved": _said_amount(metric, use.reserved),
        "left": _said_amount(metric, remaining),
    }


def state_data(state: QuotaState) -> dict[str, Any]:
    """Return the state as QuotaSerializer shows it, amounts in the unit people use."""
    quota, metric, ahead, standing = state.quota, state.quota.metric, state.forecast, state.standing

    def said_use(amount: int) -> str | int | None:
        return None if standing is not None else _said_amount(metric, amount)

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
        "revision": quota.revision,
        "limit_now": _said_amount(metric, state.limit),
        "each_end_user": quota.each_end_user,
        "nameless": quota.nameless,
        "end_users": standing and {"at_limit": standing.at_limit, "near": standing.near},
        "used": said_use(state.used),
        "reserved": said_use(state.reserved),
        "left": said_use(state.left),
        "forecast": ahead and {"expected": _said_amount(metric, ahead.expected), "runs_out_at": ahead.runs_out_at},
        "period_start": state.period_start if state.period_end else None,
        "period_end": state.period_end,
        "increases": [said_increase(increase, metric) for increase in state.increases],
    }
