"""Fill the console with the demo, once. What a service can make, it makes; only the past is written here."""

import datetime as dt
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction

from console.audit import actions
from console.audit.models import AuditEvent, Epoch
from console.audit.services import record
from console.audit.sql.copy import analyze, append_many, append_payloads
from console.audit.sql.months import make_month
from console.catalog.models import Alias, Amounts, ModelVersion, Pin, PinMove, Price, Provider, Trouble
from console.catalog.services.aliases import create_alias
from console.catalog.services.pins import SetFallbacks, Step, change_pin, move_pin
from console.catalog.services.providers import create_provider
from console.catalog.services.versions import change_version, create_version, set_price
from console.core.clock import now, period_end, period_start
from console.core.errors import Conflict
from console.notices.models import Channel
from console.notices.services.channels import create_channel
from console.pages.demo import (
    agents,
    batches,
    evaluations,
    knowledge,
    prompts,
    ratings,
    replays,
    runs,
    tools,
    touchpoints,
    visitors,
)
from console.pages.demo.calls import COLUMNS, Made, Served, calls
from console.pages.demo.cast import ALIASES, MODELS, PEOPLE, PROVIDERS, TEAMS, DemoMove
from console.teams.actors import Actor
from console.teams.models import ApiKey, Team, User
from console.teams.services.keys import create_key
from console.teams.services.people import create_person
from console.teams.services.teams import add_member, create_team
from prompts_app.services.uses import roll_up_uses
from usage_app.models import Quota
from usage_app.services.quotas import set_quota
from usage_app.services.roll_up import roll_up
from usage_app.sql.counters import used_before

ACTOR = Actor(kind="system", id=None, name="manage.py demo")
_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Filled:
    teams: int
    calls: int
    payloads: int
    quotas: int


def fill(*, days: int, actor: Actor = ACTOR) -> Filled:
    """Make what is missing of the demo. Calls are added once: the log is append-only, so they stay for good."""
    with transaction.atomic():
        Epoch.objects.select_for_update().get(pk=1)
        _refuse_strangers()
        people = _people(actor)
        teams = _teams(actor, people)
        keys = _keys(actor, teams)
        versions = _models(actor)
        _aliases(actor, teams, people, versions)
        _channel(actor, teams["support"])
        prompts.make_prompts(teams, people)
        tools.make_tools(teams, people)
        knowledge.make_knowledge(teams, people)
        agents.make_agents(teams, people)
        added, payloads = _calls(teams, keys, versions, days)
        if added:
            ratings.make_ratings(teams["support"], keys["support", "help-app"])
            runs.make_runs(people)
            evaluations.make_evaluations(people)
            replays.make_replay(teams["support"], people)
            batches.make_batches(teams["support"], keys["support", "ticket-to-article"], people)
            visitors.make_visitors(teams, people)
        touchpoints.make_touchpoints(teams, people, keys)
    if added:
        analyze()
    roll_up()
    roll_up_uses()
    quotas = _quotas(actor, teams, days)
    if added:
        record(actions.DEMO_FILLED, actor=actor, detail={"calls": added, "days": days})
    return Filled(len(teams), added, payloads, quotas)


_ELSEWHERE = "Fill a console of its own: make run DATA_DIR=demo PORT=8001, then DATA_DIR=demo PORT=8001 manage.py demo."


def _refuse_strangers() -> None:
    """The demo never mixes with what people made: a name that is taken stops it before anything is written."""
    taken = Team.objects.filter(slug__in=[t.slug for t in TEAMS], is_demo=False).values_list("slug", flat=True)
    _refuse("teams", list(taken))
    if Team.objects.filter(slug__in=[t.slug for t in TEAMS]).exists():
        return
    _refuse("prompts", prompts.slugs_of_strangers())
    _refuse("agents", agents.slugs_of_strangers())
    aliases = list(Alias.objects.filter(name__in=[a.name for a in ALIASES]).values_list("name", flat=True))
    providers = list(Provider.objects.filter(slug__in=[slug for slug, _ in PROVIDERS]).values_list("slug", flat=True))
    _refuse("things", aliases + providers)


def _refuse(what: str, names: Sequence[str]) -> None:
    if names:
        raise Conflict(
            f"There are {what} of your own called {', '.join(names)}; the demo would mix with them. {_ELSEWHERE}"
        )


def _people(actor: Actor) -> dict[str, User]:
    have = {user.email: user for user in User.objects.filter(email__in=PEOPLE)}
    return {
        email: have.get(email) or create_person(actor=actor, email=email, name=name) for email, name in PEOPLE.items()
    }


def _teams(actor: Actor, people: dict[str, User]) -> dict[str, Team]:
    teams = {team.slug: team for team in Team.objects.filter(slug__in=[t.slug for t in TEAMS])}
    for wanted in TEAMS:
        if wanted.slug in teams:
            continue
        team = create_team(actor=actor, name=wanted.name, slug=wanted.slug, colour=wanted.colour, is_demo=True)
        for email, role in wanted.members:
            add_member(actor=actor, team=team, user=people[email], role=role)
        teams[wanted.slug] = team
    return teams


def _keys(actor: Actor, teams: dict[str, Team]) -> dict[tuple[str, str], ApiKey]:
    """Make the keys. Nobody ever sees their texts, so nobody can call with them."""
    keys = {(k.team.slug, k.name): k for k in ApiKey.objects.filter(team__in=teams.values()).select_related("team")}
    moment = now()
    for wanted in TEAMS:
        for n, (name, environment) in enumerate(wanted.keys):
            if (wanted.slug, name) in keys:
                continue
            key, _ = create_key(
                actor=actor,
                team=teams[wanted.slug],
                name=name,
                environment=environment,
                expires_at=moment + dt.timedelta(days=60 + 45 * n),
            )
            key.created_at = moment - dt.timedelta(days=120 - 10 * n)
            key.last_used_at = moment - dt.timedelta(minutes=1 + 7 * n)
            key.save(update_fields=["created_at", "last_used_at"])
            keys[wanted.slug, name] = key
    return keys


def _models(actor: Actor) -> dict[str, ModelVersion]:
    providers = {provider.slug: provider for provider in Provider.objects.filter(slug__in=[s for s, _ in PROVIDERS])}
    for slug, name in PROVIDERS:
        if slug not in providers:
            providers[slug] = create_provider(
                actor=actor, slug=slug, name=name, kind="openai", base_url=f"https://api.{slug}.example/v1"
            )
    rows = ModelVersion.objects.filter(provider__in=providers.values()).select_related("provider")
    versions = {str(version): version for version in rows}
    moment = now()
    for wanted in MODELS:
        if wanted.label in versions:
            continue
        version = create_version(
            actor=actor,
            provider=providers[wanted.provider],
            name=wanted.name,
            description="Demo: this model does not exist.",
            context_tokens=wanted.context,
            max_output_tokens=wanted.output,
            capabilities=list(wanted.capabilities),
        )
        into, out, cached = wanted.price
        price = set_price(
            actor=actor,
            version=version,
            amounts=Amounts(Decimal(into), Decimal(out), Decimal(cached) if cached else None),
        )
        Price.objects.filter(pk=price.pk).update(effective_from=moment - dt.timedelta(days=120))
        if wanted.retires_in_days:
            version = change_version(
                actor=actor,
                version=version,
                shutdown_on=(moment + dt.timedelta(days=wanted.retires_in_days)).date(),
                successor=versions.get(wanted.successor),
            )
        versions[wanted.label] = version
    return versions


def _aliases(actor: Actor, teams: dict[str, Team], people: dict[str, User], versions: dict[str, ModelVersion]) -> None:
    moment = now()
    have = set(Alias.objects.filter(name__in=[a.name for a in ALIASES]).values_list("name", flat=True))
    for wanted in ALIASES:
        if wanted.name in have:
            continue
        owners = [teams[team.slug] for team in TEAMS if wanted.name in team.aliases]
        alias = create_alias(actor=actor, name=wanted.name, description=wanted.about, teams=owners)
        for move in wanted.moves:
            user = people[move.by]
            pin = Pin.objects.filter(alias=alias, environment=move.environment).first()
            pin = move_pin(
                actor=Actor(kind="user", id=user.pk, name=user.name),
                alias=alias,
                environment=move.environment,
                to=versions[move.to],
                reason=move.reason,
                seen_revision=pin.revision if pin else 0,
            )
            _backdate(pin, moment - dt.timedelta(days=move.days_ago))
        if wanted.fallback:
            _fall_back(alias, wanted.fallback, people[wanted.fallback.by], versions)


def _fall_back(alias: Alias, move: DemoMove, user: User, versions: dict[str, ModelVersion]) -> None:
    """Have another version answer where the pinned one does not."""
    pin = Pin.objects.get(alias=alias, environment=move.environment)
    pin = change_pin(
        actor=Actor(kind="user", id=user.pk, name=user.name),
        alias=alias,
        environment=move.environment,
        verb=SetFallbacks((Step(versions[move.to], (Trouble.ERROR, Trouble.TIMEOUT, Trouble.UNREACHABLE), 1),)),
        reason=move.reason,
        seen_revision=pin.revision,
    )
    _backdate(pin, now() - dt.timedelta(days=move.days_ago))


def _backdate(pin: Pin, at: dt.datetime) -> None:
    """Have the last change of a pin be made at that time."""
    PinMove.objects.filter(pin=pin, moved_at=pin.moved_at).update(moved_at=at)
    Pin.objects.filter(pk=pin.pk).update(moved_at=at)


def _served(versions: dict[str, ModelVersion]) -> dict[tuple[str, str], list[Served]]:
    """Return what each alias meant when. An environment without a pin of its own follows production's story."""
    by_id = {version.pk: label for label, version in versions.items()}
    prices = {price.model_version_id: price for price in Price.objects.filter(model_version__in=by_id)}
    found: dict[tuple[str, str], list[Served]] = {}
    moves = PinMove.objects.filter(pin__alias__name__in=[a.name for a in ALIASES], to_version__in=by_id)
    for move in moves.select_related("pin__alias").order_by("moved_at", "id"):
        version = move.to_version_id
        served = _at(move.moved_at, version, by_id[version], prices[version])
        found.setdefault((move.pin.alias.name, move.pin.environment), []).append(served)
    return found


def _fallbacks(versions: dict[str, ModelVersion], until: dt.datetime) -> dict[tuple[str, str], Served]:
    """Return what answers for which alias where the pinned version does not."""
    prices = {price.model_version_id: price for price in Price.objects.filter(model_version__in=versions.values())}
    found = {}
    for wanted in ALIASES:
        if move := wanted.fallback:
            version = versions[move.to]
            since = until - dt.timedelta(days=move.days_ago)
            found[wanted.name, move.environment] = _at(since, version.pk, move.to, prices[version.pk])
    return found


def _at(since: dt.datetime, version: uuid.UUID, label: str, price: Price) -> Served:
    cached = price.input if price.cached_input is None else price.cached_input
    return Served(since, version, label, float(price.input), float(price.output), float(cached))


def _calls(
    teams: dict[str, Team], keys: dict[tuple[str, str], ApiKey], versions: dict[str, ModelVersion], days: int
) -> tuple[int, int]:
    """Write the past in one COPY per table, unless it is there already."""
    if AuditEvent.objects.filter(team_id__in=[t.pk for t in teams.values()], client_request_id="demo-0").exists():
        return 0, 0
    until = now()
    since = period_start("day", until - dt.timedelta(days=days))
    month = period_start("month", since)
    while month <= until:
        make_month(month)
        month = period_end("month", month)
    made: list[Made] = list(
        calls(
            since=since,
            until=until,
            teams=teams,
            keys=keys,
            served=_served(versions),
            prompts=prompts.took_part(until),
            fallbacks=_fallbacks(versions, until),
        )
    )
    added = append_many(COLUMNS, (row for one in made for row in one.rows))
    payloads = append_payloads(payload for one in made for payload in one.payloads)
    return added, payloads


def _channel(actor: Actor, team: Team) -> None:
    """Set up a channel to look at; its host never resolves, and a team of the demo tells nobody."""
    name = "#support-alerts (demo)"
    if not Channel.objects.filter(team=team, name=name).exists():
        url = "https://hooks.demo.example/services/demo"
        create_channel(actor=actor, team=team, kind="slack", name=name, wants=["quota", "approval"], url=url)


def _quotas(actor: Actor, teams: dict[str, Team], days: int) -> int:
    """Set limits a little above, and in one case below, what a month costs at the present pace.

    A hard limit is never overshot, so late in a month the low one is what the month has cost already.
    """
    if Quota.objects.filter(team__in=teams.values()).exists():
        return 0
    a_month = {slug: _cost_a_month(team, days) for slug, team in teams.items()}
    marketing = max(a_month["marketing"] * 0.86, _cost_this_month(teams["marketing"]))
    wanted = [
        ("support", "cost", "month", _round_up(a_month["support"] * 1.12), "soft", ""),
        ("support", "tokens", "day", 8_000_000, "hard", ""),
        ("support", "requests", "minute", 120, "hard", "support-chat"),
        ("marketing", "cost", "month", _round_up(marketing), "hard", ""),
        ("operations", "cost", "month", _round_up(a_month["operations"] * 1.4), "soft", ""),
        ("operations", "concurrency", "", 20, "hard", ""),
    ]
    for slug, metric, window, limit, mode, alias in wanted:
        set_quota(actor=actor, team=teams[slug], metric=metric, window=window, limit=limit, mode=mode, alias=alias)
    return len(wanted)


def _cost_a_month(team: Team, days: int) -> float:
    rows = AuditEvent.objects.filter(team_id=team.pk, client_request_id__startswith="demo-")
    return sum(rows.values_list("cost_micros", flat=True)) / max(days, 1) * 30


def _cost_this_month(team: Team) -> int:
    """Return what a quota of this month begins with."""
    start = period_start("month", now())
    return used_before(Quota(team=team, metric="cost", window="month", opening_period=start))


def _round_up(micros: float) -> int:
    """Return the next round amount of currency, in micro-units: nobody sets a limit of 213.47."""
    amount = max(1, math.ceil(micros / _MICROS))
    step = int(10 ** max(len(str(amount)) - 2, 0))
    return -(-amount // step) * step * _MICROS
