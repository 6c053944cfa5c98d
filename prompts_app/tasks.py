"""Celery tasks of the library: thin wrappers that may run twice, late or never."""

from celery import shared_task

from prompts_app.git import sync
from prompts_app.services import uses


@shared_task(name="prompts.roll_up_uses")
def roll_up_uses_task() -> None:
    uses.roll_up_uses()


@shared_task(name="prompts.git_sync")
def git_sync_task() -> None:
    """Sync if somebody asked for it or it is time; from beat every minute, and after each change that asks for it."""
    sync.tick()
