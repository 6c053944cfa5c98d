"""Fifty teams with a key and generous quotas each, and one team with a limit of N requests; prints the keys as JSON."""

import json
import sys

import django

django.setup()

from console.catalog.models import Alias, ModelVersion, Pin, Price, Provider  # noqa: E402
from console.teams.callers import SYSTEM  # noqa: E402
from console.teams.services.keys import create_key  # noqa: E402
from console.teams.services.teams import create_team  # noqa: E402
from usage_app.services.quotas import set_quota  # noqa: E402


def main(upstream: str, limit: int) -> None:
    provider = Provider.objects.create(slug="mock", name="Mock", kind="openai", base_url=upstream)
    version = ModelVersion.objects.create(provider=provider, name="mock-model", capabilities=["chat"])
    Price.objects.create(model_version=version, input="0.15", output="0.60")
    alias = Alias.objects.create(name="support-chat")
    Pin.objects.create(alias=alias, environment="production", model_version=version)
    keys = []
    for number in range(51):
        team = create_team(actor=SYSTEM, name=f"Team {number}", slug=f"team-{number}")
        _, text = create_key(actor=SYSTEM, team=team, name="load", environment="production")
        keys.append(text)
        if number == 50:
            set_quota(actor=SYSTEM, team=team, metric="requests", window="month", limit=limit, mode="hard")
            continue
        for metric, most in (("requests", 10**9), ("tokens", 10**13), ("cost", 10**13)):
            set_quota(actor=SYSTEM, team=team, metric=metric, window="month", limit=most, mode="hard")
    print(json.dumps({"many": keys[:50], "limited": keys[50]}))


main(sys.argv[1], int(sys.argv[2]))
