"""Roll up the log's new calls into uses of prompts."""

import datetime as dt

from django.db import transaction

from console.audit.sql.search import horizon
from console.core.clock import now
from prompts_app import sql
from prompts_app.models import PromptKeyUse, PromptUse, PromptUseState, VersionDay, VersionRating
from prompts_app.where_used import CALLS_SPAN

# Longer than any page looks back.
_KEPT = dt.timedelta(days=100)


@transaction.atomic
def roll_up_uses() -> int:
    """Add what was called since the last time, once, and forget what nobody asks for. Returns how many rows changed.

    What is below the horizon is committed for good, so a call that commits late is above it and is read next time. Who
    finds the state's row taken steps aside.
    """
    PromptUseState.objects.get_or_create(pk=1)
    state = PromptUseState.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=1).first()
    if state is None:
        return 0
    end = horizon()
    changed = sql.add_uses(state.next_tx, end) if end > state.next_tx else 0
    today = now().date()
    for uses in (PromptUse, PromptKeyUse, VersionDay, VersionRating):
        uses._default_manager.filter(day__lt=today - _KEPT).delete()
    sql.count_calls(today - CALLS_SPAN)
    state.next_tx, state.at = max(end, state.next_tx), now()
    state.save(update_fields=["next_tx", "at"])
    return changed
