"""Re-encrypt all stored secrets with the newest key, so that older keys can be removed."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models, transaction

from console.audit import actions
from console.audit.services import record
from console.core.crypto import SecretUnreadable, encrypt, is_newest, is_token, rotate
from console.core.fields import EncryptedField
from console.teams.actors import Actor

# What allauth keeps of them in its own rows.
_OF_SECOND_FACTORS = ("secret", "seed", "migrated_codes")


class Done(NamedTuple):
    """How many secrets were encrypted again, how many had the newest key already, and which no key reads."""

    changed: int
    kept: int
    unreadable: list[str]


def columns() -> Iterator[tuple[type[models.Model], str]]:
    """Yield every column of every table that holds encrypted secrets."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedField):
                yield model, field.attname


def _newest(kept: Any) -> Any:
    """Return what a second factor keeps of a seed, or of codes, encrypted with the newest key."""
    if isinstance(kept, list):
        return [_newest(one) for one in kept]
    if not is_token(kept):  # from before they were encrypted
        return encrypt(kept)
    return kept if is_newest(kept) else rotate(kept)


@transaction.atomic
def _renew_second_factor(pk: int) -> bool:
    """Encrypt what a second factor keeps, its row ours meanwhile: codes are used up in it."""
    found = Authenticator.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if found is None:
        return False
    fresh = {name: _newest(found.data[name]) for name in _OF_SECOND_FACTORS if name in found.data}
    if fresh.items() <= found.data.items():
        return False
    found.data |= fresh
    found.save(update_fields=["data"])
    return True


def reencrypt_secrets(*, actor: Actor) -> Done:
    """Go through all secrets, one transaction each. May run while people work, and again after it was interrupted."""
    changed, kept, unreadable = 0, 0, []
    for model, name in columns():
        rows = model._base_manager.exclude(**{name: ""}).order_by("pk").values_list("pk", name)
        for pk, token in rows.iterator():
            if is_newest(token):
                kept += 1
                continue
            try:
                fresh = rotate(token)
            except SecretUnreadable:
                unreadable.append(f"{model._meta.label} {pk}")
                continue
            # One that was changed meanwhile has the newest key by that.
            changed += model._base_manager.filter(**{"pk": pk, name: token}).update(**{name: fresh})
    for pk in Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True):
        try:
            is_changed = _renew_second_factor(pk)
        except SecretUnreadable:
            unreadable.append(f"mfa.Authenticator {pk}")
            continue
        changed, kept = changed + is_changed, kept + (not is_changed)
    with transaction.atomic():
        detail = {"changed": changed, "kept": kept, "unreadable": unreadable[:50]}
        record(actions.SECRETS_REENCRYPTED, actor=actor, detail=detail)
    return Done(changed, kept, unreadable)
