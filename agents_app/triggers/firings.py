"""Start the run of a tick, delivery or message, in one transaction with its row, and once each."""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from agents_app.errors import UnknownTrigger
from agents_app.models import Firing, Run, Trigger
from agents_app.services.runs import Origin, start_run
from agents_app.triggers.payloads import input_of
from console.core.clock import now
from console.core.errors import Refusal
from console.core.sql import get_or_raise
from console.teams.actors import Actor

_LONGEST_TROUBLE = 500


def actor_of(trigger: Trigger) -> Actor:
    """Return in whose name a trigger's runs act: its owner, with the rights of that moment."""
    return Actor("user", trigger.owner_id, trigger.owner_name)


def fire(
    trigger: Trigger, key: str, values: dict[str, Any], *, body: Any = None, called_by: Run | None = None
) -> tuple[Firing, bool]:
    """Start the run, and return whether this is new. A refusal is kept with the firing: nobody waits for an answer.

    Needs `agent__team`, `agent__live` and `owner`. Raises UnknownTrigger where it was deleted in between.
    """
    earlier = Firing.objects.filter(trigger=trigger, key=key).select_related("run").first()
    if earlier is not None:
        return earlier, False
    try:
        with transaction.atomic():
            firing = Firing.objects.create(trigger=trigger, key=key)
            firing.run = start(trigger, key, values, called_by)
            firing.save(update_fields=["run"])
            Trigger.objects.filter(pk=trigger.pk).update(last_at=now(), trouble="")
            return firing, True
    except IntegrityError:
        earlier = Firing.objects.filter(trigger=trigger, key=key).select_related("run").first()
        if earlier is None:
            raise UnknownTrigger from None
        return earlier, False
    except Refusal as refusal:
        return _refused(trigger, key, refusal, body)


@transaction.atomic
def fire_once(
    trigger: Trigger, keys: tuple[str, ...], since: dt.datetime | None, values: dict[str, Any], **more: Any
) -> tuple[Firing, bool]:
    """Start the run of a delivery unless the same came under one of these keys, after `since` where that is given.

    What was refused then is tried again, for a service that gets no run sends the same once more. Deliveries of one
    trigger wait for each other here, so that two at once are one as well. New ones get the first key.
    """
    get_or_raise(Trigger.objects.select_for_update(no_key=True).filter(pk=trigger.pk), UnknownTrigger)
    rows = Firing.objects.filter(trigger=trigger, key__in=keys).select_related("run")
    earlier = (rows.filter(at__gt=since) if since else rows).first()
    if earlier is not None and earlier.state != Firing.State.PARKED:
        return earlier, False
    if earlier is not None:
        earlier.delete()
    return fire(trigger, keys[0], values, **more)


def input_for(trigger: Trigger, source: str, value: Any) -> dict[str, Any]:
    """Return what a payload gives the run of a trigger; BadInput when it does not fit. Needs `agent__live`."""
    live = trigger.agent.live
    return input_of(source, value, asks_for_message=live is None or not live.input_schema)


def start(trigger: Trigger, key: str, values: dict[str, Any], called_by: Run | None = None) -> Run:
    """Start the run of one tick, delivery or message: the same key starts one. Raises what `start_run` refuses."""
    return start_run(
        actor=actor_of(trigger),
        agent=trigger.agent,
        input={**trigger.config.get("input", {}), **values},
        environment=trigger.environment,
        origin=Origin(
            trigger.kind,
            trigger.name,
            trigger.set_up_by_id,
            dedupe_key=f"trigger:{trigger.pk.hex}:{key}"[:300],
            called_by=called_by,
        ),
    )


@transaction.atomic
def _refused(trigger: Trigger, key: str, refusal: Refusal, body: Any) -> tuple[Firing, bool]:
    trouble = refusal.message[:_LONGEST_TROUBLE]
    # Changed first, and so held: what is there now cannot be deleted before its firing is.
    if not Trigger.objects.filter(pk=trigger.pk).update(last_at=now(), trouble=trouble):
        raise UnknownTrigger
    return Firing.objects.get_or_create(
        trigger=trigger,
        key=key,
        defaults={"state": Firing.State.PARKED, "trouble": trouble, "body": body},
    )
