"""What a person changes about themselves."""

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.teams.actors import Actor
from console.teams.models import User


@transaction.atomic
def change_profile(*, actor: Actor, user: User, name: str, shortcuts_enabled: bool) -> User:
    """Change how a person is called and whether single letters act. The name is what the log shows from now on."""
    before = {"name": user.name, "shortcuts_enabled": user.shortcuts_enabled}
    after = {"name": name.strip(), "shortcuts_enabled": shortcuts_enabled}
    if before == after:
        return user
    user.name, user.shortcuts_enabled = name.strip(), shortcuts_enabled
    user.save(update_fields=["name", "shortcuts_enabled"])
    record(actions.USER_CHANGED, actor=actor, target=user, target_name=user.email, detail=changes(before, after))
    return user
