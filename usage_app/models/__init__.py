"""Limits, what counts against them, and the roll-ups behind the dashboards."""

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
    UsageTotal,
    UsageTouchpoint,
)

__all__ = [
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
    "UsageDay",
    "UsageEndUser",
    "UsageHour",
    "UsageLabel",
    "UsageTotal",
    "UsageTouchpoint",
    "Window",
]
