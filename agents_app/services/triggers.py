"""Create, change and remove triggers. Their runs act on behalf of the trigger's owner."""

import datetime as dt
import json
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from agents_app.brokers import config as queues_outside
from agents_app.errors import UnknownToken, UnknownTrigger
from agents_app.grants.schemas import LARGEST_VALUE
from agents_app.models import Agent, Queue, Trigger
from agents_app.queries.tokens import live
from agents_app.services import trigger_tokens
from agents_app.services.names import check_environment, check_secret
from agents_app.triggers import payloads
from agents_app.triggers.tokens import SIGNATURE, TOKEN, WAYS, takes_token
from console.audit import actions
from console.audit.services import changes, record
from console.core import schedules, texts
from console.core.clock import now
from console.core.crypto import encrypt
from console.core.errors import BadInput, Conflict, check_revision
from console.core.signing import SHORTEST_SECRET
from console.core.sql import get_or_raise
from console.teams.actors import Actor
from console.teams.models import User
from console.teams.queries import person_behind

Kind = Trigger.Kind
_KNOWN = {
    Kind.SCHEDULE: {"cron", "time_zone", "catch_up", "input"},
    Kind.WEBHOOK: {"source", "auth", "input"},
    Kind.QUEUE: {"queue", "input", *queues_outside.FIELDS},
}
# Who changes these says what is started, or in whose name; a name or a switch says neither.
_SETS_UP = ("config", "environment", "owner_name")
MOST_TRIGGERS = 50


@transaction.atomic
def create_trigger(
    *,
    actor: Actor,
    agent: Agent,
    owner: User,
    kind: str,
    name: str,
    config: dict[str, Any],
    environment: str,
    secret: str | None = None,
) -> tuple[Trigger, str]:
    """Make a trigger. Returns it and, of a webhook, its secret or its bearer token: shown this once.

    `secret` is one somebody else made; without it a webhook gets one of its own.
    """
    if kind not in Kind.values:
        raise BadInput(f"kind must be one of {', '.join(Kind.values)}.", param="kind")
    check_environment(environment)
    if Trigger.objects.filter(agent=agent).count() >= MOST_TRIGGERS:
        raise Conflict(f"{agent.name} has {MOST_TRIGGERS} triggers; that is the most.")
    config = check_config(agent, kind, config)
    has_token = config.get("auth") == TOKEN
    token, secret = secret, "" if has_token else _secret(kind, secret)
    trigger = Trigger.objects.create(
        agent=agent,
        kind=kind,
        name=texts.line(name, "name", most=80, is_required=True),
        config=config,
        environment=environment,
        secret=encrypt(secret) if secret else "",
        owner=owner,
        owner_name=str(owner)[:200],
        set_up_by_id=person_behind(actor),
        next_at=_next(kind, config),
    )
    _note(actions.TRIGGER_CREATED, actor, trigger, {"after": _logged(trigger)})
    return trigger, _new_token(actor, trigger, token) if has_token else secret


@transaction.atomic
def change_trigger(
    *,
    actor: Actor,
    trigger: Trigger,
    name: str | None = None,
    config: dict[str, Any] | None = None,
    environment: str | None = None,
    is_enabled: bool | None = None,
    owner: User | None = None,
    seen_revision: int | None = None,
) -> Trigger:
    """Change what is given. A schedule that is switched on again continues from now: it does not catch up.

    A webhook that is to prove itself in the other way loses what it had: `renew_secret` gives it what it needs then.
    Overtaken when somebody changed it since it was seen.
    """
    trigger = _locked(trigger)
    check_revision("this trigger", trigger.revision, seen_revision)
    before, took_token = _logged(trigger), takes_token(trigger)
    if name is not None:
        trigger.name = texts.line(name, "name", most=80, is_required=True)
    if config is not None:
        trigger.config = check_config(trigger.agent, trigger.kind, config)
    if environment is not None:
        trigger.environment = check_environment(environment)
    if is_enabled is not None:
        trigger.is_enabled = is_enabled
    if owner is not None:
        trigger.owner, trigger.owner_name = owner, str(owner)[:200]
    after = _logged(trigger)
    if before == after:
        return trigger
    if any(before[name] != after[name] for name in _SETS_UP):
        trigger.set_up_by_id = person_behind(actor)
    if any(before[name] != after[name] for name in ("config", "is_enabled")):  # a tick that is due by now stays due
        trigger.next_at = _next(trigger.kind, trigger.config) if trigger.is_enabled else None
    trigger.revision += 1
    trigger.trouble = ""
    if took_token != takes_token(trigger):
        trigger.secret = ""
        trigger_tokens.end(trigger)
    trigger.save()
    _note(actions.TRIGGER_CHANGED, actor, trigger, changes(before, after))
    return trigger


@transaction.atomic
def renew_secret(
    *, actor: Actor, trigger: Trigger, secret: str | None = None, overlap: dt.timedelta = dt.timedelta()
) -> str:
    """Give a webhook another secret or token and return it: shown this once. Nothing with the old one is taken.

    Only tokens before it continue for `overlap`: a sender that signs can sign with both. Who knows the secret can say
    what is delivered, so this counts as setting the trigger up.
    """
    if trigger.kind != Kind.WEBHOOK:
        raise BadInput("Only webhooks have a secret.")
    trigger = _locked(trigger)
    if takes_token(trigger):
        text = _new_token(actor, trigger, secret, overlap)
        trigger.set_up_by_id = person_behind(actor)
        trigger.revision += 1
        trigger.save(update_fields=["set_up_by", "revision"])
        return text
    if overlap:
        raise BadInput("Only bearer tokens go on after they were replaced.", param="overlap_hours")
    secret = _secret(trigger.kind, secret)
    trigger.secret, trigger.set_up_by_id = encrypt(secret), person_behind(actor)
    trigger.revision += 1
    trigger.save(update_fields=["secret", "set_up_by", "revision"])
    _note(actions.TRIGGER_SECRET_RENEWED, actor, trigger, {})
    return secret


def _new_token(actor: Actor, trigger: Trigger, token: str | None, overlap: dt.timedelta = dt.timedelta()) -> str:
    row, text = trigger_tokens.add(actor, trigger, token, overlap)
    after: dict[str, Any] = {"token": row.shown}
    if overlap:
        after["older_end_at"] = row.created_at + overlap
    _note(actions.TRIGGER_TOKEN_CREATED, actor, trigger, {"after": after})
    return text


@transaction.atomic
def revoke_token(*, actor: Actor, trigger: Trigger, token_id: uuid.UUID) -> None:
    """End one token of a webhook, from the next delivery on."""
    trigger = _locked(trigger)
    token = get_or_raise(live(trigger).filter(pk=token_id), UnknownToken)
    token.revoked_at = now()
    token.save(update_fields=["revoked_at"])
    _note(actions.TRIGGER_TOKEN_REVOKED, actor, trigger, {"before": {"token": token.shown}})


@transaction.atomic
def delete_trigger(*, actor: Actor, trigger: Trigger) -> None:
    """Remove it; runs it started continue."""
    trigger = _locked(trigger)
    _note(actions.TRIGGER_DELETED, actor, trigger, {"before": _logged(trigger)})
    trigger.delete()


def _locked(trigger: Trigger) -> Trigger:
    """Return it as it is now, nobody else's to change; UnknownTrigger where it was removed since it was looked up."""
    rows = Trigger.objects.select_for_update(no_key=True, of=("self",)).select_related("agent__team")
    return get_or_raise(rows.filter(pk=trigger.pk), UnknownTrigger)


def address_of(trigger: Trigger) -> str:
    """Return where a webhook's deliveries go."""
    return f"{settings.BASE_URL}{reverse('agents:deliver', args=[trigger.pk])}"


def _secret(kind: str, secret: str | None) -> str:
    if kind != Kind.WEBHOOK:
        if secret:
            raise BadInput(f"A {kind} has no secret.", param="secret")
        return ""
    if secret is None:
        return secrets.token_urlsafe(32)
    if len(secret) < SHORTEST_SECRET:
        raise BadInput(f"A webhook's secret has {SHORTEST_SECRET} characters or more.", param="secret")
    return check_secret(secret)


def check_config(agent: Agent, kind: str, config: Any) -> dict[str, Any]:
    """Return a configuration ready to be kept; BadInput names the field at fault."""
    if not isinstance(config, dict):
        raise BadInput("config must be an object.", param="config")
    known = _KNOWN[Kind(kind)]
    if "broker" not in config:
        known = known - queues_outside.OWN
    if unknown := sorted(config.keys() - known):
        raise BadInput(f"A {kind} knows no {unknown[0][:40]!r}.", param=f"config.{unknown[0][:40]}")
    if not isinstance(config.get("input", {}), dict):
        raise BadInput("input must be an object: values every run gets.", param="config.input")
    if len(json.dumps(config.get("input", {}))) > LARGEST_VALUE:
        raise BadInput(f"input is longer than {LARGEST_VALUE:,} characters.", param="config.input")
    given = {"input": config["input"]} if config.get("input") else {}
    if kind == Kind.SCHEDULE:
        return given | _checked_schedule(config)
    if kind == Kind.WEBHOOK:
        return given | _checked_webhook(config)
    if "broker" in config:
        return given | queues_outside.checked(agent.team_id, config)
    return given | _checked_queue(agent, config)


def _checked_schedule(config: dict[str, Any]) -> dict[str, Any]:
    cron, zone = str(config.get("cron", "")).strip(), str(config.get("time_zone") or "UTC").strip()
    schedules.check_cron(cron, zone)
    catch_up = config.get("catch_up") or schedules.SKIP
    if catch_up not in (schedules.SKIP, schedules.ONCE):
        raise BadInput("catch_up is skip or once.", param="config.catch_up")
    return {"cron": cron, "time_zone": zone, "catch_up": catch_up}


def _checked_webhook(config: dict[str, Any]) -> dict[str, Any]:
    source = config.get("source") or payloads.PLAIN
    if source not in list(payloads.SOURCES):
        raise BadInput(f"source is one of {', '.join(payloads.SOURCES)}.", param="config.source")
    auth = config.get("auth") or SIGNATURE
    if auth not in list(WAYS):
        raise BadInput(f"auth is one of {', '.join(WAYS)}.", param="config.auth")
    return {"source": source} | ({"auth": TOKEN} if auth == TOKEN else {})


def _checked_queue(agent: Agent, config: dict[str, Any]) -> dict[str, Any]:
    queue = str(config.get("queue", ""))
    if not Queue.objects.filter(team=agent.team_id, slug=queue, archived_at=None).exists():
        raise BadInput(f"{agent.team} has no queue {queue[:60]!r}.", param="config.queue")
    return {"queue": queue}


def _next(kind: str, config: dict[str, Any]) -> Any:
    return schedules.next_tick(config["cron"], config["time_zone"], now()) if kind == Kind.SCHEDULE else None


def _logged(trigger: Trigger) -> dict[str, Any]:
    names = ("name", "kind", "config", "environment", "is_enabled", "owner_name")
    return {name: getattr(trigger, name) for name in names}


def _note(action: actions.Action, actor: Actor, trigger: Trigger, detail: dict[str, Any]) -> None:
    name = f"{trigger.agent.slug}: {trigger.name}"
    record(action, actor=actor, target=trigger, target_name=name, team=trigger.agent.team, detail=detail)
