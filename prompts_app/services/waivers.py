"""Waivers: allow a prompt to omit a required partial."""

from django.db import transaction

from console.audit import actions
from console.core.errors import BadInput, Conflict
from console.core.races import insert
from console.teams.callers import Actor
from prompts_app.models import Prompt, Waiver
from prompts_app.queries.required import required_of
from prompts_app.services.common import check_reason, locked, person_of, record_change


@transaction.atomic
def give_waiver(*, actor: Actor, prompt: Prompt, partial: Prompt, reason: str) -> Waiver:
    """Let a prompt leave out a partial its team must include, and say why."""
    reason = check_reason(reason)
    prompt = locked(prompt)
    if partial.pk not in {required.pk for required in required_of(prompt.team_id)}:
        raise BadInput(
            f"{partial.slug} is not required of {prompt.team}, so nothing has to be waived.", param="partial"
        )
    waiver = Waiver(prompt=prompt, partial=partial, reason=reason, given_by=person_of(actor), given_by_name=actor.name)
    insert(waiver, Conflict(f"{prompt.slug} has a waiver for {partial.slug} already.", param="partial"))
    detail = {"partial": partial.slug, "reason": reason}
    record_change(actions.WAIVER_GIVEN, actor=actor, prompt=prompt, detail=detail, reason=reason)
    return waiver


@transaction.atomic
def end_waiver(*, actor: Actor, waiver: Waiver) -> None:
    """End a waiver: the next version has to include the partial again. What is live stays live."""
    prompt = locked(waiver.prompt)
    waiver = Waiver.objects.select_related("partial").get(pk=waiver.pk)  # of two who end it at once, one is last
    detail = {"partial": waiver.partial.slug, "reason": waiver.reason}
    waiver.delete()
    record_change(actions.WAIVER_ENDED, actor=actor, prompt=prompt, detail=detail)
