"""Move pins, with a reason, and roll them back."""

from django.db import IntegrityError, transaction
from django.db.models import F

from console.audit import actions
from console.audit.actions import Action
from console.audit.services import record
from console.catalog.models import Alias, ModelVersion, Pin, PinMove
from console.core.clock import now
from console.core.errors import BadInput, Conflict
from console.teams.callers import Actor
from console.teams.models import Environment

_LONGEST_REASON = 500


def _stale(alias: Alias, environment: str) -> Conflict:
    """Return the refusal of a form that saw an older pin, saying who moved it where since."""
    last = (
        PinMove.objects.filter(pin__alias=alias, pin__environment=environment)
        .select_related("to_version__provider")
        .order_by("-moved_at", "-id")
        .first()
    )
    if last is None:
        return Conflict(f"{alias.name} is not pinned in {environment} any more; look again and decide anew.")
    return Conflict(
        f"{last.moved_by_name} moved {alias.name} in {environment} to {last.to_version} at "
        f"{last.moved_at:%H:%M:%S} UTC ({last.reason}). Look again and decide anew."
    )


def _check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise BadInput("Say why: the next person who wonders will read it here.", param="reason")
    if len(reason) > _LONGEST_REASON:
        raise BadInput(f"The reason has {len(reason)} characters; {_LONGEST_REASON} is the most.", param="reason")
    return reason


def _check_target(to: ModelVersion) -> ModelVersion:
    """Return the version as it is now, locked, so that it cannot be retired while a pin moves to it."""
    to = ModelVersion.objects.select_for_update(of=("self",)).select_related("provider").get(pk=to.pk)
    if to.retired_at is not None:
        raise BadInput(f"{to} is retired; choose another version.", param="to")
    if not to.provider.is_enabled:
        raise BadInput(f"{to.provider.name} is disabled; enable it or choose another version.", param="to")
    return to


def _move(
    action: Action, *, actor: Actor, alias: Alias, environment: str, to: ModelVersion, reason: str, seen_revision: int
) -> Pin:
    reason, moment = _check_reason(reason), now()
    to = _check_target(to)
    before = Pin.objects.filter(alias=alias, environment=environment).select_related("model_version__provider").first()
    if (before.revision if before else 0) != seen_revision:
        raise _stale(alias, environment)
    if before is None:
        try:
            with transaction.atomic():
                pin = Pin.objects.create(alias=alias, environment=environment, model_version=to, moved_at=moment)
        except IntegrityError:
            raise _stale(alias, environment) from None
    else:
        if before.model_version_id == to.pk:
            raise BadInput(f"{alias.name} means {to} in {environment} already.", param="to")
        moved = Pin.objects.filter(pk=before.pk, revision=seen_revision).update(
            model_version=to, revision=F("revision") + 1, moved_at=moment
        )
        if not moved:
            raise _stale(alias, environment)
        pin = Pin.objects.select_related("alias", "model_version__provider").get(pk=before.pk)
    PinMove.objects.create(
        pin=pin,
        from_version=before.model_version if before else None,
        to_version=to,
        reason=reason,
        moved_by_id=actor.id if actor.kind == "user" else None,
        moved_by_name=actor.name,
        moved_at=moment,
    )
    teams = list(alias.teams.all()[:2])
    record(
        action,
        actor=actor,
        target=pin,
        target_name=f"{alias.name}@{environment}",
        team=teams[0] if len(teams) == 1 else None,
        reason=reason,
        detail={
            "before": {"model": str(before.model_version) if before else None},
            "after": {"model": str(to)},
            "reason": reason,
        },
    )
    return pin


@transaction.atomic
def move_pin(*, actor: Actor, alias: Alias, environment: str, to: ModelVersion, reason: str, seen_revision: int) -> Pin:
    """Make an alias mean another version in one environment, from the next call on.

    `seen_revision` is the revision the decision was made on (0 when there was no pin): when somebody else moved the
    pin since, this is a Conflict that says what they did.
    """
    if environment not in Environment.values:
        raise BadInput(f"{environment!r} is not an environment; choose production or sandbox.", param="environment")
    return _move(
        actions.PIN_MOVED,
        actor=actor,
        alias=alias,
        environment=environment,
        to=to,
        reason=reason,
        seen_revision=seen_revision,
    )


def version_before(pin: Pin) -> ModelVersion | None:
    """Return what the pin meant before its last move: where a roll-back goes."""
    last = pin.moves.select_related("from_version__provider").order_by("-moved_at", "-id").first()
    return last.from_version if last else None


@transaction.atomic
def roll_back_pin(*, actor: Actor, pin: Pin, reason: str, seen_revision: int) -> Pin:
    """Undo the last move of a pin."""
    to = version_before(pin)
    if to is None:
        raise BadInput(f"{pin} has not been moved yet, so there is nothing to roll back to.")
    return _move(
        actions.PIN_ROLLED_BACK,
        actor=actor,
        alias=pin.alias,
        environment=pin.environment,
        to=to,
        reason=reason,
        seen_revision=seen_revision,
    )
