"""What somebody else does between a look-up and its change: what they removed is not there, what they changed stays."""

import json
from collections.abc import Callable

from django.db import connection
from django.test import Client

from console.audit.models import AuditEvent
from console.catalog.models import Alias, Provider
from console.catalog.services.providers import create_provider
from console.chat.models import Conversation
from console.core.clock import now
from console.evals.models import TestCase
from console.evals.services.cases import create_case
from console.notices.models import Channel
from console.teams.callers import SYSTEM
from console.teams.models import ApiKey, Team
from prompts_app.models import Prompt
from tests import make
from tests.between import After
from tests.conftest import Cast
from usage_app.models import Quota
from usage_app.services.quotas import set_quota

REASON = {"reason": "Because.", "seen_revision": 0}


def test_what_is_removed_meanwhile_is_not_there(cast: Cast, client: Client) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", "Answer: {{question}}")
    checks = [{"kind": "contains", "value": "Settings"}]
    case = create_case(actor=SYSTEM, prompt=prompt, name="sync", variables={}, checks=checks)
    tests = f"/api/prompts/{prompt.slug}/-/tests/cases/{case.pk}/"
    alias, channel = make.make_alias("unused"), make.make_channel(cast.team_a)
    model = make.make_model()
    make.make_alias("support-chat", production=model, sandbox=model)
    provider = create_provider(
        actor=SYSTEM, slug="acme", name="Acme", kind="openai", base_url="https://api.example.com"
    )
    talk = Conversation.objects.create(owner=cast.operator, team=cast.team_a, agent=make.make_agent(cast.team_a))
    live = f"/api/prompts/{prompt.slug}/-/labels/production/"
    client.force_login(cast.operator)

    def remove_prompt() -> None:
        Prompt.objects.update(deleted_at=now())

    def remove_talk() -> None:
        Conversation.objects.update(deleted_at=now(), title="")

    def meanwhile(of: str, remove: Callable[[], object], path: str, method: str, body: object = None) -> int:
        """Return what is answered when something is removed as soon as it was looked up; nothing of it stays."""
        lines = AuditEvent.objects.exclude(action="").count()
        point = connection.savepoint()
        with connection.execute_wrapper(After(remove, of=f'FROM "{of}"')):
            status = client.generic(method, path, json.dumps(body or {}), content_type="application/json").status_code
        assert AuditEvent.objects.exclude(action="").count() == lines, (method, path)
        connection.savepoint_rollback(point)
        return status

    case_row = {"name": "sync", "variables": {}, "checks": [*checks, *checks]}
    for of, remove, path, method, body in (
        (
            "catalog_alias",
            Alias.objects.filter(name="unused").delete,
            f"/api/aliases/{alias.name}/",
            "PATCH",
            {"description": "x"},
        ),
        ("catalog_alias", Alias.objects.filter(name="unused").delete, f"/api/aliases/{alias.name}/", "DELETE", None),
        (
            "catalog_alias",
            Alias.objects.filter(name="unused").delete,
            f"/models/aliases/{alias.name}/delete/",
            "POST",
            None,
        ),
        (
            "catalog_provider",
            Provider.objects.filter(slug="acme").delete,
            f"/api/providers/{provider.slug}/",
            "PATCH",
            {"name": "x"},
        ),
        (
            "notices_channel",
            Channel.objects.all().delete,
            f"/api/alerts/channels/{channel.pk}/",
            "PATCH",
            {"name": "x"},
        ),
        ("notices_channel", Channel.objects.all().delete, f"/api/alerts/channels/{channel.pk}/", "DELETE", None),
        ("evals_testcase", TestCase.objects.all().delete, tests, "PUT", case_row),
        ("evals_testcase", TestCase.objects.all().delete, tests, "DELETE", None),
        ("prompts_prompt", remove_prompt, f"/api/prompts/{prompt.slug}/", "PATCH", {"description": "x"}),
        ("prompts_prompt", remove_prompt, f"/api/prompts/{prompt.slug}/", "DELETE", None),
        ("prompts_prompt", remove_prompt, live, "PUT", {"version": 1, **REASON}),
        ("chat_conversation", remove_talk, f"/api/conversations/{talk.pk}/", "PATCH", {"title": "Of whom?"}),
        ("chat_conversation", remove_talk, f"/api/conversations/{talk.pk}/", "DELETE", None),
    ):
        assert meanwhile(of, remove, path, method, body) == 404, (method, path)


def test_a_change_takes_back_nothing_that_it_does_not_name(cast: Cast, client: Client) -> None:
    client.force_login(cast.operator)
    quota = set_quota(actor=SYSTEM, team=cast.team_a, metric="requests", window="day", limit=9, mode="soft")
    for of, narrow, path, body in (
        (
            'FROM "teams_apikey"',
            lambda: ApiKey.objects.filter(pk=cast.kim.pk).update(scopes=["usage:read"], networks=["10.0.0.0/8"]),
            f"/api/keys/{cast.kim.pk}/",
            {"name": "renamed"},
        ),
        (
            '"teams_team"."slug" =',
            lambda: Team.objects.filter(pk=cast.team_a.pk).update(requires_two_factor=True),
            f"/api/teams/{cast.team_a.slug}/",
            {"name": "Renamed"},
        ),
        (
            'FROM "usage_quota"',
            lambda: Quota.objects.update(mode="hard"),
            f"/api/quotas/{quota.public_id}/",
            {"limit": 7},
        ),
    ):
        with connection.execute_wrapper(After(narrow, of=of)):
            changed = client.patch(path, json.dumps(body), content_type="application/json")
        assert changed.status_code == 200, changed.content
    key, team = ApiKey.objects.get(pk=cast.kim.pk), Team.objects.get(pk=cast.team_a.pk)
    assert (key.name, key.scopes, key.networks) == ("renamed", ["usage:read"], ["10.0.0.0/8"])
    assert (team.name, team.requires_two_factor) == ("Renamed", True)
    quota.refresh_from_db()
    assert (quota.limit, quota.mode) == (7, "hard")
