"""Limits, what counts against them, and the roll-ups behind the dashboards."""

from usage_app.models.alert_rules import AlertRule, RuleMetric
from usage_app.models.quotas import (
    EndUserCounter,
    Metric,
    Mode,
    Nameless,
    Purpose,
    Quota,
    QuotaAlert,
    QuotaCounter,
    QuotaIncrease,
    Window,
)
from usage_app.models.reservations import Reservation
from usage_app.models.sums import (
    RollUpState,
    UsageDay,
    UsageEndUser,
    UsageHour,
    UsageLabel,
    UsageMinute,
    UsageTotal,
    UsageTouchpoint,
)

__all__ = [
    "AlertRule",
    "EndUserCounter",
    "Metric",
    "Mode",
    "Nameless",
    "Purpose",
    "Quota",
    "QuotaAlert",
    "QuotaCounter",
    "QuotaIncrease",
    "Reservation",
    "RollUpState",
    "RuleMetric",
    "UsageDay",
    "UsageEndUser",
    "UsageHour",
    "UsageLabel",
    "UsageMinute",
    "UsageTotal",
    "UsageTouchpoint",
    "Window",
]
