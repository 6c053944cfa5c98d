"""What needs attention: visitors, reviews, quotas, expiring keys, failing providers, models that are shut down."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, FilteredRelation, Q
from django.urls import reverse

from agents_app.access import approvals_for
from agents_app.queries.approvals import waiting as waiting_approvals
from agents_app.queries.broken_agents import unready
from console.catalog.access import aliases_for
from console.catalog.models import ModelVersion, Pin, PinFallback
from console.catalog.queries import open_proposals
from console.chat.queries.visits import waited
from console.core import formatting
from console.evals.models import Schedule
from console.teams.callers import Caller
from console.teams.models import ApiKey, Team
from console.teams.queries import ENDING, STALE
from prompts_app.queries.reviews import waiting
from usage_app.models import Mode, Window
from usage_app.queries.dashboard import failing_providers
from usage_app.queries.quota_state import QuotaState

SHUTDOWN = dt.timedelta(days=90)
_MOST_OF_A_KIND = 4
_ASKS = {
    "call": "may it call {tool}?",
    "question": "it has a question.",
    "outcome": "what was the outcome of its call of {tool}?",
    "step": "should it continue?",
}


@dataclass(frozen=True, slots=True)
class Attention:
    """One line: what it means first, then the facts. `tone` is bad, warn or muted."""

    tone: str
    icon: str
    title: str
    text: str
    url: str


def items(caller: Caller, teams: Sequence[Team], quotas: Sequence[QuotaState], *, now: dt.datetime) -> list[Attention]:
    """Return what needs the caller, the most pressing first."""
    found = [
        *_quotas(quotas),
        *_providers(teams, now),
        *_models(caller, now),
        *_drift(caller, teams),
        *_visitors(caller, teams),
        *_proposals(caller),
        *_approvals(caller, teams),
        *_reviews(caller, teams),
        *_agents(caller, teams),
        *_keys(caller, teams, now),
    ]
    order = {"bad": 0, "warn": 1, "muted": 2}
    return sorted(found, key=lambda item: order[item.tone])


def _quotas(quotas: Sequence[QuotaState]) -> list[Attention]:
    running_out = [s for s in quotas if s.quota.window in {Window.DAY, Window.MONTH} and s.runs_out]
    return [
        Attention(
            tone=state.tone or "warn",
            icon="gauge",
            title=f"{_whose(state)} {'has run out' if state.is_exhausted else f'runs out {state.runs_out_words}'}",
            text=f"{state.used_text} of {state.limit_text}, {_uncapitalised(state.quota.title)}. "
            + ("Hard limit blocks new calls." if state.quota.mode == Mode.HARD else "Soft limit, calls go on."),
            url=f"{reverse('usage:quotas')}?team={state.quota.team.slug}",
        )
        for state in running_out[:_MOST_OF_A_KIND]
    ]


def _whose(state: QuotaState) -> str:
    quota = state.quota
    inside = quota.key.name if quota.key else quota.alias or quota.agent or quota.widget
    return f"{inside} of {quota.team}" if inside else str(quota.team)


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _providers(teams: Sequence[Team], now: dt.datetime) -> list[Attention]:
    return [
        Attention(
            tone="bad",
            icon="unplug",
            title=f"Calls to {failing.provider} are failing",
            text=f"{failing.errors:,} of {failing.requests:,} since the last full hour.",
            url=reverse("catalog:models"),
        )
        for failing in failing_providers([team.pk for team in teams], now=now)
    ]


def _models(caller: Caller, now: dt.datetime) -> list[Attention]:
    """Models that pins use in any way and that will be shut down, or were."""
    mine = Pin.objects.filter(alias__in=aliases_for(caller))
    # Subqueries and not joins: planning a join of nine tables takes longer than all other queries of the page.
    used = Q(pk__in=PinFallback.objects.filter(pin__in=mine).values("model_version"))
    for place in ("model_version", "canary_version", "shadow_version"):
        used |= Q(pk__in=mine.values(place))
    ending = (
        ModelVersion.objects.filter(used, shutdown_on__lte=now + SHUTDOWN, retired_at=None)
        .select_related("provider", "successor__provider")
        .order_by("shutdown_on")
    )
    found = []
    for version in ending[:_MOST_OF_A_KIND]:
        assert version.shutdown_on is not None
        over = version.shutdown_on <= now.date()
        day = formatting.day(dt.datetime.combine(version.shutdown_on, dt.time(), dt.UTC), now)
        found.append(
            Attention(
                tone="bad" if over or version.shutdown_on - now.date() < dt.timedelta(days=14) else "warn",
                icon="hourglass",
                title=f"{version} {'was' if over else 'is'} shut down on {day}",
                text=f"Pins use it. Its successor is {version.successor}." if version.successor else "Pins use it.",
                url=reverse("catalog:version", args=[version.pk]),
            )
        )
    return found


def _drift(caller: Caller, teams: Sequence[Team]) -> list[Attention]:
    """Prompts whose tests do worse than at the last promotion, and schedules that cannot say so. One query."""
    seen = [team.pk for team in teams if caller.may("view_team", team.pk)]
    found = (
        Schedule.objects.filter(prompt__team__in=seen, prompt__deleted_at=None)
        .annotate(open=FilteredRelation("incidents", condition=Q(incidents__closed_at=None)))
        .annotate(drift=F("open__sentence"))
        .filter(Q(drift__isnull=False) | Q(is_left=True) | (Q(is_paused=False) & ~Q(trouble="")))
        .select_related("prompt")
        .order_by("open__opened_at", "created_at", "id")
    )
    return [
        Attention(
            tone="bad" if schedule.drift else "warn",
            icon="trending-down" if schedule.drift else "flask-conical",
            title=_of_tests(schedule, bool(schedule.drift)),
            text=schedule.drift or schedule.pause_reason or schedule.trouble,
            url=reverse("evals:schedule", args=[schedule.prompt.slug, schedule.pk]),
        )
        for schedule in found[: 2 * _MOST_OF_A_KIND]
    ]


def _of_tests(schedule: Schedule, is_drifted: bool) -> str:
    if is_drifted:
        return f"{schedule.prompt.slug} has drifted on {schedule.model}"
    return f"The tests of {schedule.prompt.slug} {'are paused' if schedule.is_paused else 'cannot be run'}"


def _visitors(caller: Caller, teams: Sequence[Team]) -> list[Attention]:
    """Widgets at which visitors wait for a person, where the caller may be that person."""
    return [
        Attention(
            tone="warn",
            icon="panels-top-left",
            title=f"{f'{at.count} visitors' if at.count > 1 else 'A visitor'} of {at.name} "
            f"{'wait' if at.count > 1 else 'waits'} for a person",
            text=f"{at.team}: take the conversation over to answer.",
            url=f"{reverse('chat:visits', args=[at.widget_id])}?state=waiting",
        )
        for at in waited(caller, teams)[:_MOST_OF_A_KIND]
    ]


def _proposals(caller: Caller) -> list[Attention]:
    """Changes that wait for a second person: to decide on, or one's own to know of."""
    if not caller.is_operator or caller.user is None:
        return []
    found = []
    for proposal in open_proposals()[:_MOST_OF_A_KIND]:
        is_mine = proposal.proposed_by_id == caller.user.pk
        name = proposal.alias.name
        title = f"{proposal.proposed_by_name} proposes a change to {name}"
        found.append(
            Attention(
                tone="muted" if is_mine else "warn",
                icon="users",
                title=f"Your change to {name} waits for somebody else" if is_mine else title,
                text=f"{proposal.sentence}. {proposal.reason}",
                url=reverse("catalog:alias", args=[name]),
            )
        )
    return found


def _agents(caller: Caller, teams: Sequence[Team]) -> list[Attention]:
    """Live agents that the caller's teams build and that cannot answer as things are."""
    building = [team for team in teams if caller.may("build", team.pk)]
    return [
        Attention(
            tone="bad",
            icon="bot",
            title=f"{agent.name} cannot answer",
            text=problem,
            url=reverse("agents:agent", args=[agent.slug]),
        )
        for agent, problem in unready(building)[:_MOST_OF_A_KIND]
    ]


def _approvals(caller: Caller, teams: Sequence[Team]) -> list[Attention]:
    """What runs ask and the caller may decide, what ends first at the top. Arguments stay on its page."""
    open_ones = waiting_approvals(approvals_for(caller, to="decide").filter(team__in=teams))
    return [
        Attention(
            tone="warn",
            icon="hand",
            title=f"{approval.run.agent.name} waits for an answer",
            text=f"{approval.team}: {_ASKS[approval.kind].format(tool=approval.step.tool_name)}",
            url=reverse("agents:approval", args=[approval.pk]),
        )
        for approval in open_ones[:_MOST_OF_A_KIND]
    ]


def _reviews(caller: Caller, teams: Sequence[Team]) -> list[Attention]:
    """Changes of prompts that the caller may approve, the longest waiting first."""
    open_ones = waiting(caller).filter(prompt__team__in=teams).select_related("prompt__team", "version")
    return [
        Attention(
            tone="warn",
            icon="message-square-text",
            title=f"{review.requested_by_name} asks to publish v{review.version.number} of {review.prompt.slug}",
            text=f"{review.prompt.team}, to {review.label}. {review.reason}",
            url=reverse("prompts:review", args=[review.prompt.slug, review.pk]),
        )
        for review in open_ones.defer("version__content", "version__variables")[:_MOST_OF_A_KIND]
    ]


def _keys(caller: Caller, teams: Sequence[Team], now: dt.datetime) -> list[Attention]:
    managed = [team.pk for team in teams if caller.may("manage_keys", team.pk)]
    alive = ApiKey.objects.filter(team__in=managed, revoked_at=None, replaced_by=None).filter(
        Q(expires_at=None) | Q(expires_at__gt=now)
    )
    forgotten = Q(last_used_at__lt=now - STALE) | Q(last_used_at=None, created_at__lt=now - STALE)
    ending = Q(expires_at__lt=now + ENDING)
    rows = alive.filter(forgotten | ending).select_related("team").order_by("expires_at", "last_used_at", "id")
    return [_key(key, now) for key in rows[:6]]


def _key(key: ApiKey, now: dt.datetime) -> Attention:
    if key.expires_at and key.expires_at < now + ENDING:
        days = (key.expires_at - now).days
        tone, message = "warn", f"ends {f'in {days} days' if days > 1 else 'within two days'}"
        advice = "Rotate it to keep its callers working."
    else:
        days = (now - (key.last_used_at or key.created_at)).days
        tone, message, advice = "muted", f"is unused for {days} days", "Consider revoking it."
    return Attention(
        tone=tone,
        icon="key-round",
        title=f"Key {key.shown} {message}",
        text=f"{key.team}, {key.name}. {advice}",
        url=f"{reverse('teams:keys')}?team={key.team.slug}",
    )
