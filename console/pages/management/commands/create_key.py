"""Create an API key from the shell."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console.core.errors import Refusal
from console.teams.callers import SYSTEM
from console.teams.models import Environment, Team, UnknownFields
from console.teams.roles import DEFAULT_SCOPES
from console.teams.services.keys import create_key


class Command(BaseCommand):
    help = "Make an API key for a team and print it. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--team", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--environment", required=True, choices=Environment.values)
        parser.add_argument("--scopes", default=",".join(DEFAULT_SCOPES), help="Separated by commas.")
        parser.add_argument("--aliases", default="", help="Only these aliases, separated by commas; none means all.")
        parser.add_argument(
            "--unknown-fields",
            default="",
            choices=UnknownFields.values,
            metavar="pass|drop|refuse",
            help="What happens to request fields Facet does not know; without it, what GATEWAY_UNKNOWN_FIELDS says.",
        )
        parser.add_argument("--json", action="store_true", help="Print one line of JSON.")

    def handle(self, **options: Any) -> None:
        team = Team.objects.filter(slug=options["team"], archived_at=None).first()
        if team is None:
            known = ", ".join(Team.objects.filter(archived_at=None).values_list("slug", flat=True))
            raise CommandError(f"There is no team {options['team']!r}. There are: {known or 'none'}.")
        try:
            key, text = create_key(
                actor=SYSTEM,
                team=team,
                name=options["name"].strip(),
                environment=options["environment"],
                scopes=_split(options["scopes"]),
                aliases=_split(options["aliases"]),
                unknown_fields=options["unknown_fields"],
            )
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        if options["json"]:
            made = {"id": str(key.pk), "team": team.slug, "name": key.name, "environment": key.environment}
            self.stdout.write(json.dumps(made | {"scopes": key.scopes, "key": text}))
        else:
            self.stdout.write(text)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
