"""Every form of the library, its tests, the playground and git: none is taken from another site."""

import uuid

from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from console.audit.models import AuditEvent, Epoch
from prompts_app.models import Prompt
from tests import make
from tests.conftest import Cast
from tests.make import client_of

_NAMESPACES = ("prompts", "prompts_git", "evals", "playground")
_SAMPLES = {
    "slug": "support/answer", "number": 1, "label": "production", "review_id": uuid.uuid4(), "case_id": uuid.uuid4(),
    "run_id": uuid.uuid4(), "waiver_id": uuid.uuid4(), "schedule_id": uuid.uuid4(), "incident_id": uuid.uuid4(),
    "dataset_id": uuid.uuid4(), "replay_id": uuid.uuid4(), "place": 1,
}  # fmt: skip


def _addresses() -> list[str]:
    found = []
    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "namespace", None) in _NAMESPACES:
            for pattern in resolver.url_patterns:  # type: ignore[union-attr]
                assert isinstance(pattern, URLPattern)
                names = pattern.pattern.converters
                kwargs = {name: _SAMPLES[name] for name in names}
                found.append(reverse(f"{resolver.namespace}:{pattern.name}", kwargs=kwargs))  # type: ignore[union-attr]
    return found


def test_no_form_is_taken_from_another_site(cast: Cast) -> None:
    make.make_prompt(cast.team_a, "support/answer", "Hello")
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.operator)
    addresses = _addresses()
    assert len(addresses) > 35
    for address in addresses:
        for headers in ({}, {"HX-Request": "true"}, {"Content-Type": "text/plain"}):
            assert client.post(address, {"do": "save"}, headers=headers).status_code == 403, address
    for method, address in (("post", "/api/prompts/"), ("delete", "/api/prompts/support/answer/")):
        refused = getattr(client, method)(address, {}, content_type="application/json")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "csrf_failed")
    assert Prompt.objects.filter(deleted_at=None).count() == 1


def test_looking_changes_nothing(cast: Cast) -> None:
    prompt = make.make_prompt(cast.team_a, "support/answer", "Hello")
    client = client_of(cast.operator)
    lines, epoch = AuditEvent.objects.count(), Epoch.objects.get().value
    for path in [*_addresses(), "/prompts/support/answer/-/publish/?label=production", "/prompts/new/?kind=chat"]:
        assert client.get(path).status_code in {200, 404, 405}, path
        assert client.head(path).status_code in {200, 404, 405}, path
    assert (AuditEvent.objects.count(), Epoch.objects.get().value) == (lines, epoch)
    assert list(Prompt.objects.values_list("pk", flat=True)) == [prompt.pk]
