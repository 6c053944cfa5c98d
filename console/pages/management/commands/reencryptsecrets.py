"""Encrypt every stored secret with the first of ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.pages.reencryption import reencrypt_secrets
from console.teams.actors import SYSTEM


class Command(BaseCommand):
    help = "Encrypt every stored secret with the first of ENCRYPTION_KEYS, after which the others can be taken away."

    def handle(self, *args: Any, **options: Any) -> str:
        done = reencrypt_secrets(actor=SYSTEM)
        message = f"{done.changed} encrypted anew, {done.kept} had the newest key."
        if done.unreadable:
            which = "\n".join(done.unreadable)
            raise CommandError(f"{message} No key among ENCRYPTION_KEYS reads these:\n{which}")
        return f"{message} The keys after the first in ENCRYPTION_KEYS can be taken away."
