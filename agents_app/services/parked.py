"""Retry or drop parked messages of external queues."""

from django.db import transaction

from agents_app.brokers.deliveries import begin
from agents_app.models import Broker, Firing, Run
from console.audit import actions
from console.audit.services import record
from console.core.clock import now
from console.core.errors import Conflict, NotFound, Refusal
from console.teams.actors import Actor


def _locked(firing: Firing) -> Firing:
    rows = Firing.objects.select_for_update(no_key=True, of=("self",))
    row = rows.select_related("trigger__agent__team", "trigger__agent__live", "trigger__owner").get(pk=firing.pk)
    if row.state != Firing.State.PARKED or "broker" not in row.trigger.config:
        raise Conflict("This message is no longer parked.")
    return row


def _note(action: actions.Action, actor: Actor, firing: Firing) -> None:
    trigger = firing.trigger
    name = f"{trigger.agent.slug}: {trigger.name}"
    record(
        action, actor=actor, target=trigger, target_name=name, team=trigger.agent.team, detail={"message": firing.key}
    )


def try_again(*, actor: Actor, firing: Firing) -> Run:
    """Start the run of a message that was set aside; what still stands in its way is kept with it, and raised."""
    try:
        with transaction.atomic():
            firing = _locked(firing)
            broker = Broker.objects.filter(
                team=firing.trigger.agent.team_id, slug=firing.trigger.config["broker"]
            ).first()
            if broker is None:
                raise NotFound("Its broker is not connected any more.")
            run = begin(firing, firing.trigger, broker, firing.body)
            _note(actions.MESSAGE_RETRIED, actor, firing)
            return run
    except Refusal as refusal:
        Firing.objects.filter(pk=firing.pk, state=Firing.State.PARKED).update(trouble=refusal.message[:500])
        raise


@transaction.atomic
def drop(*, actor: Actor, firing: Firing) -> None:
    """Forget what a message said; that it came stays known, so it starts nothing when it comes again."""
    firing = _locked(firing)
    Firing.objects.filter(pk=firing.pk).update(
        state=Firing.State.DROPPED, body=None, trouble=f"{actor.name[:200]} dropped it.", at=now()
    )
    _note(actions.MESSAGE_DROPPED, actor, firing)
