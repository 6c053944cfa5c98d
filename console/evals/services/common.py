"""The audit record of a change of a schedule."""

from typing import Any

from console.audit.actions import Action
from console.evals.models import Schedule
from console.teams.actors import Actor
from prompts_app.services.common import record_change


def record_schedule_change(
    action: Action, actor: Actor, schedule: Schedule, detail: dict[str, Any], reason: str = ""
) -> None:
    record_change(
        action, actor=actor, prompt=schedule.prompt, detail={"schedule": str(schedule), **detail}, reason=reason
    )
