"""Names of a person's passkeys."""

from allauth.mfa.models import Authenticator
from django.db import transaction

from console.audit import actions
from console.audit.services import changes, record
from console.core.races import hold
from console.teams.actors import Actor
from console.teams.models import User


@transaction.atomic
def rename_passkey(*, actor: Actor, user: User, passkey: Authenticator, name: str) -> None:
    """Give a passkey another name, and write nothing else: one that was removed meanwhile stays away."""
    held = hold(passkey)
    before, held.data = held.data.get("name", ""), held.data | {"name": name}
    difference = changes({"name": before}, {"name": name})
    if not difference["after"]:
        return
    held.save(update_fields=["data"])
    detail = {"renamed": str(held.type)} | difference
    record(actions.TWO_FACTOR_CHANGED, actor=actor, target=user, target_name=user.email, detail=detail)
