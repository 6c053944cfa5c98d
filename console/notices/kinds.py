"""The kinds of notices, and who may subscribe to them."""

from django.db import models


class NoticeKind(models.TextChoices):
    QUOTA = "quota", "Quotas"
    APPROVAL = "approval", "Approvals"
    DRIFT = "drift", "Drift"
    CALLS = "calls", "Errors and latency"
    SHUTDOWN = "shutdown", "Model shutdowns"
    PROVIDER = "provider", "Provider health"
    SEAL = "seal", "Audit log seal"


SENTENCES: dict[str, str] = {
    NoticeKind.QUOTA: "A quota is nearly or entirely used",
    NoticeKind.APPROVAL: "An agent needs an approval, or nobody has decided yet",
    NoticeKind.DRIFT: "The tests of a prompt score lower than at its last promotion, or no longer run",
    NoticeKind.CALLS: "Calls fail or take longer than a rule allows, or no longer do",
    NoticeKind.SHUTDOWN: "A provider shuts down a model in 30, 7 or 1 days",
    NoticeKind.PROVIDER: "A provider keeps failing, or answers again",
    NoticeKind.SEAL: "The audit log was changed after it was sealed",
}
# What a team is concerned with; the rest is told to those who run the installation.
OF_TEAMS = (NoticeKind.QUOTA, NoticeKind.APPROVAL, NoticeKind.DRIFT, NoticeKind.CALLS)


def kinds_of(*, is_of_team: bool) -> tuple[NoticeKind, ...]:
    """Return what a channel of a team, or of the installation, can be told."""
    return OF_TEAMS if is_of_team else tuple(NoticeKind)
