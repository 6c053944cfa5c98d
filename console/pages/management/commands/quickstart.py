"""Set up a new installation, and print how to sign in."""

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from console.core.errors import Refusal
from console.embedded import defaults, model, ports
from console.pages.configuration.quickstart import quickstart


def _known_url(program: str) -> str:
    """Return where a built-in model of this installation answers; empty when it has never been started here."""
    if settings.BUILTIN_MODEL:
        with suppress(OSError, ValueError):
            return ports.base_url(defaults.socket_folder(settings.DATA_DIR), program)
    return ""


class Command(BaseCommand):
    # They load every page, which takes as long as all the rest. What a start needs, `migrate` has checked.
    requires_system_checks = ()
    help = "Make an operator, a team, two keys and an alias that answers, where missing, and print how to get in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one line of JSON.")
        parser.add_argument("--start", action="store_true", help="As a start of the console does; `make run` says it.")
        parser.add_argument("--email", default=settings.QUICKSTART_EMAIL, help="The operator's address.")
        parser.add_argument(
            "--model-url", default="", help="Where the built-in model answers, ending in /v1; `make run` knows."
        )
        parser.add_argument("--embeddings-url", default="", help="Where the built-in embeddings answer, ending in /v1.")
        parser.add_argument(
            "--model-context", type=int, default=model.CONTEXT_TOKENS, help="The context its server runs with."
        )

    def handle(self, **options: Any) -> None:
        try:
            validate_email(options["email"])
            done = quickstart(
                email=options["email"],
                model_url=options["model_url"] or _known_url("model"),
                context_tokens=options["model_context"],
                embeddings_url=options["embeddings_url"] or _known_url("embeddings"),
                is_start=options["start"],
            )
        except ValidationError:
            raise CommandError(f"{options['email']!r} is not an e-mail address; set QUICKSTART_EMAIL.") from None
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        if options["json"]:
            self.stdout.write(done.as_json())
            return
        self.stdout.write(f"Address   {done.url}")
        if done.sign_in_url:
            self.stdout.write(f"Sign in   {done.sign_in_url}  (once, within 24 hours)")
        self.stdout.write(f"Team      {done.team}")
        self.stdout.write(f"Alias     {done.alias}")
        for environment, text in done.keys.items():
            shown = text or "made earlier; its text was shown once. Make another with manage.py create_key."
            self.stdout.write(f"Key       {environment}: {shown}")
