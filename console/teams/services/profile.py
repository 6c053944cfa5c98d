"""Changes a person makes to their own profile."""

from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import User


@transaction.atomic
def change_profile(*, actor: Actor, user: User, name: str | None = None, shortcuts_enabled: bool | None = None) -> User:
    """Change how a person is called and whether single letters act; what is not given stays as it is by then.

    The name is what the log shows from now on.
    """
    held = hold(user)
    user.name, user.shortcuts_enabled = held.name, held.shortcuts_enabled
    before = {"name": user.name, "shortcuts_enabled": user.shortcuts_enabled}
    if name is not None:
        user.name = name.strip()
    if shortcuts_enabled is not None:
        user.shortcuts_enabled = shortcuts_enabled
    after = {"name": user.name, "shortcuts_enabled": user.shortcuts_enabled}
    if before == after:
        return user
    user.save(update_fields=["name", "shortcuts_enabled"])
    record(actions.USER_CHANGED, actor=actor, target=user, target_name=user.email, detail=changes(before, after))
    return user
