"""Encrypt every stored secret with the newest key, so that older ones can be taken away."""

from collections.abc import Iterator
from typing import NamedTuple

from django.apps import apps
from django.db import models, transaction

from console.audit import actions
from console.audit.services import record
from console.core.crypto import SecretUnreadable, is_newest, rotate
from console.core.fields import EncryptedField
from console.teams.actors import Actor


class Done(NamedTuple):
    """How many secrets were encrypted anew, how many had the newest key already, and which no key reads."""

    changed: int
    kept: int
    unreadable: list[str]


def columns() -> Iterator[tuple[type[models.Model], str]]:
    """Yield every column of every table that holds encrypted secrets."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedField):
                yield model, field.attname


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
    with transaction.atomic():
        detail = {"changed": changed, "kept": kept, "unreadable": unreadable[:50]}
        record(actions.SECRETS_REENCRYPTED, actor=actor, detail=detail)
    return Done(changed, kept, unreadable)
