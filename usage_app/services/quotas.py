"""Create, change, raise and remove quotas. A change applies from the next call on."""

import datetime as dt
import uuid
from typing import Any

from django.db import transaction

from console.audit import actions
from console.audit import sql as audit_sql
from console.audit.services import changes, record
from console.core import clock
from console.core.errors import BadInput, Conflict, check_revision
from console.core.races import hold, insert
from console.teams.callers import Actor
from console.teams.models import ApiKey, Team
from usage_app.models import Metric, Mode, Nameless, Purpose, Quota, QuotaCounter, QuotaIncrease, Window
from usage_app.scopes import Subject
from usage_app.sql.counters import open_end_users, used_before

# A bigint holds more, but sums of limits and increases must not come near its end.
LARGEST = 10**15


def _check(metric: str, window: str, limit: int, mode: str) -> None:
    if metric not in Metric.values:
        raise BadInput(f"{metric!r} is not a metric; choose one of {', '.join(Metric.values)}.", param="metric")
    if metric == Metric.CONCURRENCY and window:
        raise BadInput("Concurrent calls have no window; leave it out.", param="window")
    if metric != Metric.CONCURRENCY and window not in Window.values:
        raise BadInput(f"{window!r} is not a window; choose one of {', '.join(Window.values)}.", param="window")
    _check_limit(metric, limit, mode)


def _check_limit(metric: str, limit: int, mode: str) -> None:
    if not 0 <= limit <= LARGEST:
        raise BadInput(f"A limit is a whole number from 0 to {LARGEST:,}.", param="limit")
    if mode not in Mode.values:
        raise BadInput(f"{mode!r} is not a mode; choose hard or soft.", param="mode")
    if metric == Metric.CONCURRENCY and mode == Mode.SOFT:
        raise BadInput(
            "A limit of concurrent calls is always hard: there is nothing to warn about later.", param="mode"
        )


def _check_end_users(metric: str, purpose: str, nameless: str, *, each_end_user: bool) -> None:
    if nameless not in Nameless.values:
        raise BadInput(
            f"{nameless!r} is not a rule for calls without an end user; choose pass or refuse.", param="nameless"
        )
    if not each_end_user:
        if nameless != Nameless.PASS:
            raise BadInput("Only a limit for each end user has a rule for calls without one.", param="nameless")
    elif metric == Metric.CONCURRENCY:
        raise BadInput(
            "Concurrent calls cannot be limited for each end user; limit requests per minute instead.",
            param="each_end_user",
        )
    elif purpose:
        raise BadInput("Copies for a shadow are ours and no end user's; limit them as a whole.", param="each_end_user")


def _facts(quota: Quota) -> dict[str, Any]:
    """Return what of a quota can change, as the audit log says it before and after."""
    said: dict[str, Any] = {"limit": quota.limit, "mode": quota.mode}
    return {**said, "nameless": quota.nameless} if quota.each_end_user else said


@transaction.atomic
def set_quota(
    *,
    actor: Actor,
    team: Team,
    metric: str,
    window: str,
    limit: int,
    mode: str = Mode.HARD,
    key: ApiKey | None = None,
    alias: str = "",
    agent: str = "",
    widget: Subject | None = None,
    purpose: str = Purpose.CALLS,
    each_end_user: bool = False,
    nameless: str = Nameless.PASS,
) -> Quota:
    """Limit a team, or one key, alias, agent or widget inside it. What the present period has used already counts.

    With `each_end_user` the limit is of each of those whose calls they are, and `nameless` says what becomes of a call
    that names none.
    """
    _check(metric, window, limit, mode)
    _check_end_users(metric, purpose, nameless, each_end_user=each_end_user)
    if purpose not in Purpose.values:
        raise BadInput(f"{purpose!r} is not a purpose; write shadow, or leave it out.", param="purpose")
    if key is not None and key.team_id != team.pk:
        raise BadInput("The key belongs to another team.", param="key")
    given = [name for name, value in (("key", key), ("alias", alias), ("agent", agent), ("widget", widget)) if value]
    if len(given) > 1:
        raise BadInput(
            f"A quota is of one thing inside the team, not of {' and '.join(given)}; set two.", param=given[-1]
        )
    quota = Quota(
        team=team,
        key=key,
        alias=alias,
        agent=agent,
        widget_id=uuid.UUID(widget.value) if widget else None,
        widget=widget.name[:80] if widget else "",
        purpose=purpose,
        metric=metric,
        window=window,
        limit=limit,
        mode=mode,
        each_end_user=each_end_user,
        nameless=nameless,
        since_epoch=0,
    )
    # 1. Record, which moves the epoch: plans made before are refused from this commit on, so every call with this
    #    epoch or a later one knows the quota and counts itself.
    # 2. Add up what calls before it have used, and open the counter with that.
    insert(quota, Conflict(f"{team} has this quota already ({quota.title}); change it instead.", param="metric"))
    record(
        actions.QUOTA_CREATED,
        actor=actor,
        target=quota,
        target_name=quota.title,
        detail={"metric": metric, "after": _facts(quota)},
    )
    quota.since_epoch = audit_sql.epoch()
    if quota.window:
        quota.opening_period = clock.period_start(quota.clock_window, clock.now())
        if each_end_user:
            open_end_users(quota)
        else:
            quota.opening_used = used_before(quota)
            QuotaCounter.objects.create(quota=quota, period_start=quota.opening_period, used=quota.opening_used)
    quota.save(update_fields=["since_epoch", "opening_period", "opening_used"])
    return quota


@transaction.atomic
def change_quota(
    *,
    actor: Actor,
    quota: Quota,
    limit: int | None = None,
    mode: str | None = None,
    nameless: str | None = None,
    seen_revision: int | None = None,
) -> Quota:
    """Give a quota another limit, mode or rule for calls without an end user; its counters stay.

    What is not given stays as it is by now.

    With `seen_revision`, Overtaken when somebody changed the quota since.
    """
    held = hold(quota, "team", "key")
    check_revision(held, held.revision, seen_revision)
    before = _facts(held)
    held.limit, held.mode = held.limit if limit is None else limit, held.mode if mode is None else mode
    held.nameless = held.nameless if nameless is None else nameless
    _check_limit(held.metric, held.limit, held.mode)
    _check_end_users(held.metric, held.purpose, held.nameless, each_end_user=held.each_end_user)
    after = _facts(held)
    if before == after:
        return held
    held.revision += 1
    held.save(update_fields=["limit", "mode", "nameless", "revision"])
    record(
        actions.QUOTA_CHANGED,
        actor=actor,
        target=held,
        target_name=held.title,
        detail={"metric": held.metric, **changes(before, after)},
    )
    return held


@transaction.atomic
def remove_quota(*, actor: Actor, quota: Quota) -> None:
    """Lift a limit. Its counters, increases and alerts go with it; the log keeps what was used."""
    held = Quota.objects.select_for_update(no_key=True, of=("self",)).filter(pk=quota.pk).first()
    if held is None:
        raise Conflict("This quota was removed already.")
    held.delete()
    record(
        actions.QUOTA_DELETED,
        actor=actor,
        target=quota,
        target_name=quota.title,
        detail={"metric": quota.metric, "before": _facts(quota)},
    )


def rename_widget(*, widget_id: uuid.UUID, name: str) -> None:
    """Have quotas of a widget say its new name; what they count stays."""
    Quota.objects.filter(widget_id=widget_id).update(widget=name[:80])


@transaction.atomic
def remove_quotas_of_widget(*, actor: Actor, widget_id: uuid.UUID) -> None:
    """Lift the limits of a widget that is taken away, which nobody could reach any more."""
    for quota in Quota.objects.filter(widget_id=widget_id).select_related("team", "key").order_by("id"):
        remove_quota(actor=actor, quota=quota)


@transaction.atomic
def increase_quota(*, actor: Actor, quota: Quota, amount: int, reason: str, ends_at: dt.datetime) -> QuotaIncrease:
    """Raise a limit until a moment, by itself and without anybody having to take it back."""
    moment = clock.now()
    if not 0 < amount <= LARGEST:
        raise BadInput(f"An increase is a whole number from 1 to {LARGEST:,}.", param="amount")
    if not reason.strip():
        raise BadInput("Say why; the audit log keeps the reason.", param="reason")
    if ends_at <= moment:
        raise BadInput("The increase would have ended already; choose a later moment.", param="ends_at")
    quota = hold(quota, "team", "key")
    increase = QuotaIncrease.objects.create(
        quota=quota,
        amount=amount,
        reason=reason.strip(),
        starts_at=moment,
        ends_at=ends_at,
        created_by_id=actor.id if actor.kind == "user" else None,
        created_by_name=actor.name,
    )
    record(
        actions.QUOTA_INCREASED,
        actor=actor,
        target=quota,
        target_name=quota.title,
        detail={"metric": quota.metric, "after": {"amount": amount, "ends_at": ends_at, "reason": reason.strip()}},
    )
    return increase


@transaction.atomic
def end_increase(*, actor: Actor, increase: QuotaIncrease) -> None:
    """Take a temporary increase back before its end."""
    moment = clock.now()
    ended = QuotaIncrease.objects.filter(pk=increase.pk, ended_at=None, ends_at__gt=moment).update(ended_at=moment)
    if not ended:
        raise Conflict("This increase has ended already.")
    increase.ended_at = moment
    record(
        actions.QUOTA_INCREASE_ENDED,
        actor=actor,
        target=increase.quota,
        target_name=increase.quota.title,
        detail={
            "metric": increase.quota.metric,
            "before": {"amount": increase.amount, "ends_at": increase.ends_at},
        },
    )
