"""Carry out a change of a pin: check, change, keep history, record. All changes of pins go through here."""

import uuid
from typing import Any, NamedTuple

from django.db import transaction

from console.audit.services import changes, record
from console.catalog.models import Alias, ModelVersion, Pin, PinFallback, PinMove
from console.catalog.services.pins.draft import Draft, open_draft, stale
from console.catalog.services.pins.gate import check_tests
from console.catalog.services.pins.verbs import Move, RollBack, Verb
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.core.races import insert
from console.teams.callers import Actor
from console.teams.models import Environment

_LONGEST_REASON = 500


class SecondPersonNeeded(Conflict):
    """The alias wants two people to agree; propose the change instead."""

    code = "second_person_needed"


class Author(NamedTuple):
    """Whose change it is in the history; with two people, who agreed."""

    user_id: uuid.UUID | None
    name: str
    agreed_by: str = ""


def check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadInput("Say why: the next person who wonders will read it here.", param="reason")
    if len(reason) > _LONGEST_REASON:
        raise BadInput(f"The reason has {len(reason)} characters; {_LONGEST_REASON} is the most.", param="reason")
    return reason


def is_held(actor: Actor, alias: Alias, environment: str, verb: Verb) -> bool:
    """Return whether a change waits for somebody else.

    The way back never waits: an emergency has one person in it, and what it returns to was agreed on. The installation
    itself (`manage.py apply`) has no second person; its files are reviewed where they are kept.
    """
    if environment != Environment.PRODUCTION or verb.is_way_back or actor.kind == "system":
        return False
    return Alias.objects.filter(pk=alias.pk, needs_second_person=True).exists()


@transaction.atomic
def change_pin(*, actor: Actor, alias: Alias, environment: str, verb: Verb, reason: str, seen_revision: int) -> Pin:
    """Change a pin, from the next call on.

    `seen_revision` is the revision the decision was made on (0 when there was no pin): when somebody else changed the
    pin since, this is a Conflict that says what they did. SecondPersonNeeded where the alias wants two people to agree.
    """
    reason = check_reason(reason)
    if is_held(actor, alias, environment, verb):
        raise SecondPersonNeeded(f"{alias.name} changes when two people agree; propose the change instead.")
    draft = open_draft(alias, environment, seen_revision)
    verb.apply(draft)
    check_tests(actor, draft, verb)
    author = Author(actor.id if actor.kind == "user" else None, actor.name)
    return carry_out(draft, verb, actor=actor, author=author, reason=reason)


def carry_out(draft: Draft, verb: Verb, *, actor: Actor, author: Author, reason: str, **detail: Any) -> Pin:
    """Save a draft with its line in the history and its line in the log."""
    pin, moment = draft.pin, now()
    difference = changes(draft.before, draft.state())
    if not difference["after"]:
        raise BadInput("Nothing would change.")
    pin.moved_at = moment
    _save(draft)
    PinMove.objects.create(
        pin=pin,
        change=verb.change,
        from_version=draft.from_version,
        to_version=pin.model_version,
        before=difference["before"],
        after=difference["after"],
        reason=reason,
        moved_by_id=author.user_id,
        moved_by_name=author.name,
        agreed_by_name=author.agreed_by,
        moved_at=moment,
    )
    teams = list(pin.alias.teams.all()[:2])
    record(
        verb.action,
        actor=actor,
        target=pin,
        target_name=f"{pin.alias.name}@{pin.environment}",
        team=teams[0] if len(teams) == 1 else None,
        reason=reason,
        detail=difference | {"reason": reason} | detail,
    )
    return pin


def _save(draft: Draft) -> None:
    pin = draft.pin
    if draft.is_new:
        insert(pin, stale(pin.alias, pin.environment))
        return
    pin.revision += 1
    pin.save()
    if draft.state()["fallbacks"] != draft.before["fallbacks"]:
        pin.fallbacks.all().delete()
        PinFallback.objects.bulk_create(
            PinFallback(pin=pin, position=n, model_version=step.version, on=list(step.on), tries=step.tries)
            for n, step in enumerate(draft.fallbacks, start=1)
        )


def move_pin(*, actor: Actor, alias: Alias, environment: str, to: ModelVersion, reason: str, seen_revision: int) -> Pin:
    """Make an alias mean another version in one environment."""
    return change_pin(
        actor=actor, alias=alias, environment=environment, verb=Move(to), reason=reason, seen_revision=seen_revision
    )


def roll_back_pin(*, actor: Actor, pin: Pin, reason: str, seen_revision: int) -> Pin:
    """Undo the last move of a pin."""
    return change_pin(
        actor=actor,
        alias=pin.alias,
        environment=pin.environment,
        verb=RollBack(),
        reason=reason,
        seen_revision=seen_revision,
    )
