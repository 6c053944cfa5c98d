"""The line in the log of what becomes of a schedule."""

from typing import Any

from console.audit.actions import Action
from console.evals.models import Schedule
from console.teams.actors import Actor
from prompts_app.services.noting import note


def note_schedule(action: Action, actor: Actor, schedule: Schedule, detail: dict[str, Any], reason: str = "") -> None:
    note(action, actor=actor, prompt=schedule.prompt, detail={"schedule": str(schedule), **detail}, reason=reason)
